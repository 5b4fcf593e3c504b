"""The guard on what is said to have become of a lot. Pure."""

import re

from sothebais.agent.model import Facts, LotStatus
from sothebais.agent.truth import words
from sothebais.agent.truth.reading import Reading, Sentence

#: Fair warning is given no earlier than this before the end.
FAIR_WARNING_MS_MAX = 60_000


def state(reading: Reading) -> bool:
    """A lot that is said to be sold, closed, extended or halted while it is not."""
    facts = reading.facts
    lot = facts.lot
    status = lot.status if lot else None
    sold = status is LotStatus.SOLD
    near = status is LotStatus.CLOSING or bool(
        lot and lot.status.open and lot.ends_at and lot.ends_at - facts.now <= FAIR_WARNING_MS_MAX
    )
    checks = (
        ("sold gone won winner winners congratulations congrats champion victor bought owns belongs", sold),
        ("unsold passed", status is LotStatus.PASSED),
        ("closed over ended finished done", status is None or status.over),
        ("extended", bool(lot and lot.extension_count)),
        ("paused halted suspended", status is LotStatus.PAUSED),
        ("cancelled withdrawn void voided annulled", status is LotStatus.CANCELLED),
        ("reopened", False),
        ("removed struck deleted", bool(lot and lot.voided_count)),
    )
    for sentence in reading.sentences:
        low = sentence.text.lower()
        for listed, holds in checks:
            said = sentence.known & words.listed(listed)
            if (
                said
                and not holds
                and not _of_last(sentence, facts)
                and not sentence.all_open(said)
                and not _is_idiom(sentence, said)
            ):
                return True
        warns = re.search(
            r"\b(?:fair warning|last chance|final call|last call|final chance|going (?:once|twice)|going,? going)\b",
            low,
        )
        if warns and not near and not (sold and "sold" in low):
            return True
        if _TAKES_IT.search(low) and not sold:
            return True
        if _NO_MORE.search(low) and not (status is LotStatus.CANCELLED or (lot and lot.voided_count)):
            return True
        if (
            re.search(
                r"\b(?:hammer|gavel)\s+(?:(?:is|has|comes|came)\s+(?:\w+\s+)?(?:down|fallen)|falls|fell|drops|dropped)\b",
                low,
            )
            and not sold
        ):
            if not sentence.all_open(frozenset({"hammer", "gavel"})):
                return True
    return False


#: A leader who already has the piece.
_TAKES_IT = re.compile(
    r"\{leader\} (?:takes it|took it|keeps|kept|holds (?:it|the piece)|gets|got|has (?:\{item\}|the piece|it home))\b|\b(?:goes|go|going|went|home|belongs|gone)\b[^.!?,]{0,12}\b(?:to|with) \{leader\}|\bfinal\b[^.!?]*\{price\}|\bthat is (?:final|the end)\b"
)
_NO_MORE = re.compile(r"\bbids?\b[^.!?]*\bno longer\b|\bno bids? on it\b")


def _of_last(sentence: Sentence, facts: Facts) -> bool:
    """Whether a sentence is about the last result, by its tokens; those of a sale exist only if it was sold."""
    passed = bool(facts.last_result and not facts.last_result.winner)
    sale = {"winner", "last_price"} & sentence.tokens
    return bool(sale) or bool(
        passed and {"last_lot", "last_item"} & sentence.tokens and not sentence.known & {"sold", "won", "winner"}
    )


def _is_idiom(sentence: Sentence, said: frozenset[str]) -> bool:
    low = sentence.text.lower()
    if low.endswith("?") and said <= {"finished", "done", "over"}:
        return True
    if "sold_lots" in sentence.tokens and said == {"sold"}:
        return True
    idioms = {
        "belongs": r"\b(?:credit|praise|honour|merit) belongs\b",
        "winner": r"\bthe winner (?:gets|pays|receives)\b",
        "sold": r"\b(?:to|would|could|might|may|will|must|can) be sold\b",
        "over": r"\bover (?:to|there|here|it|this|the|a|that|my|your|and)\b|\b(?:look|looked|think|thought|watch|talk) (?:it )?over\b",
        "passed": r"\bpassed (?:a|the|my|into|from|by|through)\b",
        "done": r"\b(?:well|nicely|quietly|beautifully|handsomely|neatly|bravely) done\b|\bdone (?:with|in|by|justice)\b",
        "void": r"\bvoid of\b",
        "finished": r"\b(?:a|beautifully|finely|so|well) finished\b",
        "closed": r"\bclosed (?:eyes|door|room)\b",
        "gone": r"\b(?:has|have|had) gone (?:quiet|up|still|very|rather|from|well)\b|\bgone quiet\b",
    }
    return all(word in idioms and re.search(idioms[word], low) for word in said)
