"""Guards for writers that nobody has reviewed, on the sentences that bear facts. Pure.

Beside a token stand plain words of the trade, and tokens stand together only where their facts belong together. So
a true amount cannot be made a false one by what is said around it.
"""

import re

from sothebais.agent.model import LotStatus
from sothebais.agent.truth.reading import Reading, Sentence
from sothebais.agent.truth.tokens import AMOUNTS, LEADERS, leads
from sothebais.agent.truth.words import listed

#: The words that may stand beside a fact. None denies, compares, adds up, foretells or takes anything back.
BESIDE = listed(
    """
    a admire admires afraid again against all am among an and announce another answer answered answers anybody anyone
    applause are art as at attention auction auctioneer be before begin begins beautifully bid bidder bidder's bidders bidding bids bold boldly bow brass
    brave bravo breaks brief broken by calm calmly came can care catalogue charming civil clear clearly clock come comes composure confidence
    congratulations contest conviction count courage crowd daring decided delighted delightful deserved deserves determined do does elegant end ends
    closes enter enters entirely evening ever every everybody everyone exactly excellent extended eye fair far field find finds fine finely finest
    finish finished first floor follow following follows fond fondness for forward fresh from front fully gallery gavel gently gentlemen get gets give go
    goes going gold good grace graciously great grows hammer hand handsome handsomely hands has have head hear heard heart here hold holding holds
    home hush i i'm i've ice if in indeed interest into invitation invite invited is it it's its just keen keeper ladies last lead leading leads leap leaps least
    leave let let's lively long look looked looking looks lot lots love lovely made make makes manner marvellous may me mind moment mood more
    most move moves much my new next nice nicely noted now of on once one only onto open opened opening opens opener or our ours ovation over pace paddle
    paddles page perch perhaps persistence piece place please pleased pleasure poise position precisely present price proud public put quick quiet
    quietly quite raise raised raises raven reached reaches ready record refined remain remains resume resumes respect rest return returns rises room
    room's round sale say says see seems session shall sign silence sir sit sits slow so softly sold somebody someone soon speaks special spirit spirited
    splendid stand standing stands start started starts stay stays steady step steps stepping straight stride strong style suit suits superb sure
    suspect take taken takes taking taste tempo thank thanks that that's the their then there's these this those thoughtful thus through time
    to today tonight touch travels try turn understand unhurried unless until up upon us very voice wait waiting waits walks wall want warm warming
    warmly warms warning was watch way we we're we've welcome well went what where which while who whole will wise with without wonderful
    wonderfully word words work worthy would yet you you've your meet meets between clock's mere simply thanks lovely elegantly delightfully
    spoken entering enters joins join joined continues continue holds grip firmly proudly bidding's colour canvas frame eyes there back
    """
)
_FACTS = frozenset(AMOUNTS | LEADERS)
#: Names and texts of the catalogue: they may stand in any sentence.
_FREE = frozenset(
    {
        "item",
        "artist",
        "story",
        "traits",
        "host",
        "campaign",
        "asker",
        "lot",
        "next_lot",
        "next_item",
        "next_artist",
        "day",
    }
)
_LAST = frozenset({"last_lot", "last_item", "last_price", "winner"})
_NOW = frozenset(
    {
        "price",
        "previous_price",
        "starting_price",
        "next_bid",
        "leader",
        "bids",
        "bidders",
        "bid_count",
        "time_left",
        "ends_at",
        "reserve_state",
        "item",
        "lot",
    }
)
_NEXT = frozenset({"next_lot", "next_item", "next_artist", "next_lot_at", "next_lot_in"})

#: How the next bid is asked for. It is never what somebody has bid.
_ASKS = re.compile(
    r"\b(?:next|following)\b[^.!?]{0,20}\{next_bid\}|\{next_bid\} (?:is|would be|comes|is the) (?:the )?next\b|\b(?:it takes|would take|need|needed|looking for|listening for|waiting for|invite|want|ask for|asking for|at least|wait for) \{next_bid\}"
    r"|\b(?:do i hear|do i see|shall we say|shall we try|shall we make it|does (?:anybody|anyone|somebody|someone) say|will you say|may i say|would you say|can i hear|may i have|who says|who will say|is there|have i) \{next_bid\}[^.!]*\?"
    r"|\{next_bid\},? (?:anyone|anybody|please|perhaps|from anyone|in the room)\?|\{next_bid\} (?:would|will) (?:keep|lead|take|open|move|bring|change|do|put)\b|\{next_bid\} to (?:lead|take|go|stay)\b"
)
_TURNED = re.compile(
    r"\{leader\}[^,;.!?]{0,24}\{next_bid\}|\b(?:have|pays?|paid|sold|thank you,?|thanks,?|is|was|leads?|leading|at)\s+(?:\w+\s+)?\{next_bid\}(?! (?:or|is))|\{(?:price|next_bid)\}(?:'s)?\s+(?:and|or|plus|more|less|each|together|times|to)\s+\{"
    r"|\bback to\b|\{winner\} (?:leads?|is leading)\b|\{leader\} (?:has|have) (?:more|plenty|much)\b|\bgive or take\b|\{price\},? (?:would|will|could|to)\b|\{price\}\?(?! \w+,)|\bby (?:another|someone|somebody|an? )|\bagainst \{leader\}|\{bid_count\}(?!\s+bids?\b)|\{(?:price|previous_price|starting_price|last_price)\}\s+(?:each|more|less|too|and (?:a bit|more|change|rising))"
    r"|\b(?:price|reserve|maximum|bid|cost|costs)(?:\s+(?:is|stands|was|now|are|at))*\s+\{(?:lot|next_lot|last_lot|bid_count|bids|bidders|time_left|item|day|artist|host|asker|premium|extension)\}"
)
_TELLS = re.compile(
    r"\b(?:maximum|maxima|reserve|limit|ceiling|proxy|budget)s?\s+(?:\w+\s+)?(?:is|was|are|were|has|had|sits|stands|lies|remains|would)\b(?! (?:sealed|kept|secret|private|never|theirs|something|between|not (?:mine|something|known|for)))"
)

#: What a fact needs to be said of, and what must not be said of it.
_SAID_OF = {
    "ends_at": (r"\b(?:at|until) \{ends_at\}", r"\b(?:before|or|if|next|session|opens?|starts?|begins?)\b"),
    "time_left": (r"", r"\b(?:next|session|opens?|begins?|starts?|another|ago|before|after|until)\b"),
    "next_lot_at": (r"\{next_(?:lot|item)\}|\bnext\b", r"\b(?:ends?|closes?|now)\b"),
    "next_lot_in": (r"\{next_(?:lot|item)\}|\bnext\b", r"\b(?:ends?|closes?|now)\b"),
    "next_session": (
        r"\b(?:session|return|meet|again|resume|back|continue)\b",
        r"\b(?:ends?|closes?|lot|perhaps|or|if|unless)\b",
    ),
    "starting_price": (
        r"\b(?:open|opens|opened|opening|opener|start|starts|started|begin|begins)\b",
        r"\b(?:leads?|stands?|now|sold|still|again|remains?|stays?|at .* at)\b",
    ),
    "previous_price": (
        r"\bfrom (?:[\w']+ )?\{previous_price\}|\b(?:was|before)\b",
        r"\b(?:to|at|with|leads?|stands?) \{previous_price\}|\{price\}.*\{previous_price\}",
    ),
    "reserve_state": (r"\{reserve_state\}(?=[.,;!?]|$)", r"\b(?:if|or|unless|perhaps|would|will|far|yet|until)\b"),
    "extension": (
        r"\b(?:gives?|more|adds?|extends?|extension|late)\b",
        r"\b(?:left|ends?|closes?)\b|\bin \{extension\}",
    ),
    "extension_window": (r"\b(?:last|late|final)\b", r"\b(?:left|ends?|closes?)\b|\bin \{extension_window\}"),
    "next_lot": (
        r"",
        r"\b(?:sooner|at once|begins?)\b|\b(?:is|are) (?:now |already )?(?:open|sold|closed|on|here|before|over|last|leading)\b|\bnow\b",
    ),
    "next_item": (
        r"",
        r"\b(?:is|are) (?:now |already )?(?:open|sold|closed|on|here|before|over|last|leading)\b|\bnow\b",
    ),
}
_RULES = {name: (re.compile(needs), re.compile(never)) for name, (needs, never) in _SAID_OF.items()}
#: The person spoken to as one who bids; {your_standing} and {your_bids} say that.
_YOU_BID = re.compile(
    r"\byou(?:'ve|'re)?\s+(?:\w+\s+)?(?:bid|bids|offer|offered|lead|pay|paid|have|said|say|gave|give|open|opened|hold|take|took|made|make|raise|raised|stand|are)\b"
)
_YOU_MAY = re.compile(
    r"\b(?:if|do|would|will|shall|may|can|could|should|that|where|what) you\b|\bthank you\b|\byou (?:may|can|could|would|might)\b"
)
_BY_ARTIST = re.compile(
    r"(?:\{item\}|\{next_item\}|\{last_item\}|\bpiece|\bwork|\blot),? by \{artist\}|\bwork of \{artist\}|\{artist\}'s \{item\}"
)
#: What may be said in one sentence to the person spoken to.
_GIVEN = listed(
    "yours your piece hands collect enjoy applause did bravo congratulations claim home win won luck smiles prize new take takes lead leads champion made"
)

#: What is said of an artist or a campaign beyond the catalogue.
_OF_PEOPLE = re.compile(
    r"\{artist\}(?:'s)? (?:is|was|are|died|has died|will|wants|says|said|told|asks|asked|hates|owes)\b|\{artist\}[^.!?]*\b(?:here|tonight|room|dead|died|ill)\b"
    r"|\{campaign\} (?:is|ends?|closes?|was|has ended)\b(?! (?:in session|open|under way))|\{(?:item|lot)\} (?:is|was) (?:a gift|free|damaged|broken|lost|gone|postponed|moved|late)\b|\{(?:item|lot)\} (?:moves?|stays?|leaves?|returns?)\b|\bopens? again\b"
)
#: Words that say that what is seen is not so.
_DOUBTS = listed(
    "truth lie lies lying wrong false falsely untrue mistaken pretend pretends fiction invented rigged doctored"
)


_BESIDE_EACH_OTHER = re.compile(
    r"\{asker\}[\s.,:;!?\-]*\{(?:price|next_bid|last_price)\}|\{(?:price|next_bid|last_price)\}[\s.,:;!?\-]*\{asker\}"
)


def turned(reading: Reading) -> bool:
    """A fact in a sentence that could turn what it says: denied, compared, added up, or said of something else."""
    if _BESIDE_EACH_OTHER.search(reading.low) and not leads(reading.facts):
        return True
    return any(_turned(sentence) or _mixed(sentence, reading) for sentence in reading.sentences)


def _turned(sentence: Sentence) -> bool:
    low = sentence.text.lower()
    if sentence.tokens - _FREE and not all(word in BESIDE for word in sentence.plain_words):
        return True
    # "so far" counts, "far above" compares
    if sentence.tokens - _FREE and re.search(r"(?<!so )(?<!thus )\bfar\b", low):
        return True
    if len(sentence.tokens) != sum(word.startswith("{") for word in sentence.low):
        return True
    if "next_bid" in sentence.tokens and not _ASKS.search(low):
        return True
    if (
        sentence.tokens & _FACTS
        and _YOU_BID.search(_YOU_MAY.sub("", low))
        and not sentence.tokens & {"your_bids", "your_standing"}
    ):
        return True
    if any(
        name in _RULES and (not _RULES[name][0].search(low) or _RULES[name][1].search(low)) for name in sentence.tokens
    ):
        return True
    return bool(_TURNED.search(low) or _TELLS.search(low) or sentence.known & _DOUBTS)


def _mixed(sentence: Sentence, reading: Reading) -> bool:
    tokens, lot, last = sentence.tokens, reading.facts.lot, reading.facts.last_result
    low = sentence.text.lower()
    same = bool(lot and last and lot.status is LotStatus.SOLD and lot.number == last.number)
    if tokens & _LAST and tokens & (_NOW - ({"item", "lot"} if same else set())):
        return True
    if "reserve_state" in tokens and tokens & LEADERS:
        return True
    if tokens & _NEXT and tokens & (_LAST | _NOW):
        return True
    if "asker" in tokens and (
        sentence.known & _GIVEN or (tokens & _FACTS - {"your_bids", "your_standing"} and not leads(reading.facts))
    ):
        return True
    if tokens & _FACTS and ("host" in tokens or ("artist" in tokens and not _BY_ARTIST.search(low))):
        return True
    if _OF_PEOPLE.search(low):
        return True
    if re.search(r"\b(?:start|starts|started|open|opens|opened|begin|begins|began)\b[^,;]*\{price\}", low) and (
        lot is None or lot.bid_count != 1
    ):
        return True
    # two people, or a leader and a winner, never share a sentence
    return len(tokens & {"leader", "winner", "asker"}) > 1
