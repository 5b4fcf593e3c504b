"""Guards for writers that nobody has reviewed: what is claimed must be borne by a token. Pure.

The other guards know what may not be said; these know what may. A sentence about price, leader, time or the state of a
lot has a token of that kind, and of itself the host says only that it sees, thinks, speaks and is. A reviewed text (the
script's) does not need them.
"""

import re

from sothebais.agent.truth.reading import Reading, is_common
from sothebais.agent.truth.tokens import AMOUNTS, LEADERS
from sothebais.agent.truth.words import listed

_TIMED = frozenset(
    {
        "time_left",
        "ends_at",
        "next_lot_at",
        "next_lot_in",
        "next_session",
        "extension",
        "extension_window",
        "now",
        "day",
    }
)
_LOTS = frozenset(
    AMOUNTS
    | LEADERS
    | _TIMED
    | {"bids", "bidders", "bid_count", "reserve_state", "last_item", "last_lot", "sold_lots", "premium"}
)

#: What a sentence is about, and the tokens one of which must then be in it.
TOPICS = (
    (listed("price prices priced cost costs costing worth value valued sum amount figure record records expensive paid pays pay fee fees money money's level buy afford spend fortune rich climbed climbs climb risen rises rise crossed scales digits dearly"), AMOUNTS | {"premium", "sold_lots"}),
    (
        listed("lead leads leader leading winner winners winning won win wins buyer owner owned ahead front victor top museum lady gentleman man woman collector rival friend hands possession collect belongs home applause congratulations congratulate champion outbid outbids beaten"),
        LEADERS | {"last_item", "asker"},
    ),
    (listed("soon later ends ending end closes close begin begins start starts started spring summer autumn winter dawn dusk morrow easter christmas shortly until due late"), _LOTS | {"next_lot", "lot", "item", "campaign"}),
    (
        listed("sold unsold closed bid bids bidding bidder bidders hammer gavel available offer offers interested finished over passed gone buyer forgery fake counterfeit stolen copy genuine authentic down withdrew withdrawn withdraw dropped shut decided decide chosen result lamps accepted leaves increment step steps reserve maximum maxima limit increments"),
        _LOTS,
    ),
)  # fmt: skip
#: Sentences on those topics that claim nothing.
_HARMLESS = re.compile(
    r"^(?:a|an|one|what a|such a|another|no) (?:[\w'-]+ ){0,3}(?:bid|start|beginning|step|offer|finish|end|contest)[.!]?$"
    r"|^(?:who|shall|do|does|will|would|is|are|any|anybody|anyone|and|what|where|how|may|can)\b[^.!]*\?$"
    r"|\b(?:no hurry|take your time|in good time|in no hurry|all the time in the world|no bid is lost|bids are (?:safe|public)|every bid (?:is|in) (?:in )?the (?:public )?record|ladies and gentlemen|(?:reserve|maximum|maxima)s? (?:is|are) (?:not mine|sealed|kept|secret|private))\b"
    r"|\bi (?:cannot|can't|never|do not|don't|could not|am unable to)\b",
    re.IGNORECASE,
)
_REFUSING = listed("cannot can't never no not nothing unable don't won't")

_ASKS = re.compile(
    r"\b(?:next|takes?|would|need|needs|needed|looking|listening|hear|shall|invite|invites|want|from here|or more|say|says who)\b|\?"
)
_TURNED = re.compile(
    r"\{leader\}[^,;.!?]{0,24}\{next_bid\}|\b(?:have|pays?|paid|sold|thank you,?|thanks,?|is|was|leads?|leading|at)\s+(?:\w+\s+)?\{next_bid\}(?! (?:or|is))|\{(?:price|next_bid)\}(?:'s)?\s+(?:and|or|plus|more|less|each|together|times|to)\s+\{"
    r"|\bagainst \{leader\}|\{bid_count\}(?!\s+bids?\b)|\{(?:price|previous_price|starting_price|last_price)\}\s+(?:each|more|less|too|and (?:a bit|more|change|rising))"
    r"|\b(?:price|reserve|maximum|bid|cost|costs)(?:\s+(?:is|stands|was|now|are|at))*\s+\{(?:lot|next_lot|last_lot|bid_count|bids|bidders|time_left|item|day|artist|host|asker|premium|extension)\}"
)


_TELLS = re.compile(
    r"\b(?:maximum|maxima|reserve|limit|ceiling|proxy|budget)s?\s+(?:\w+\s+)?(?:is|was|are|were|has|had|sits|stands|lies|remains|would)\b(?! (?:sealed|kept|secret|private|never|theirs|something|between|not (?:mine|something|known|for)))"
)


_WHO = re.compile(r"\b(?:who|whose)\b[^.!?]*\?\s+(?!\{)(?:[\w'-]+\s*){1,3}[.!]?\s*$")


def ragged(reading: Reading) -> bool:
    """A sentence that begins in the middle, as a text does whose words were shuffled."""
    return bool(re.search(r"(?:^|[.!?]\s+)[\"\'(]*[a-zà-ÿ]", reading.text))


def unfounded(reading: Reading) -> bool:
    """A sentence about price, leader, time or the state of a lot that no token bears."""
    # "Who leads? The fox."
    if _WHO.search(reading.low):
        return True
    for sentence in reading.sentences:
        if _HARMLESS.search(sentence.text.strip()):
            continue
        for topic, tokens in TOPICS:
            if sentence.known & topic and not sentence.tokens & tokens:
                return True
        if re.search(r"\b(?:is|are|was|be) the (?:last|final|only)\b", sentence.text.lower()) or (
            _SUPPLANTS.search(sentence.text.lower()) and not sentence.tokens
        ):
            return True
        if any(not is_common(word) for pattern in (_NAMED, _CALLED) for word in pattern.findall(sentence.text.lower())):
            return True
    return False


_SUPPLANTS = re.compile(
    r"\bclock (?:has|was|is|stops|stopped|runs|ran|went)\b|\btime(?:'s| is| was| has)? (?:up|over|out|short|passed|stopped)\b|\b(?:does|do|did|will) not count\b|\brules (?:have|are|were|has)\b|\bno (?:more|longer|further)\b|\b(?:no|any) (?:sale|auction)\b|\bnext lot\b|\blast (?:lot|piece)\b|\bgood night\b|\bfrom the (?:beginning|start)\b|\b(?:turned|set|put) back\b|\bany moment\b|\b(?:has|have) it\b"
    r"|\b(?:nobody|no one|everybody|someone|somebody) (?:is|has|was|wants|will)\b|\b(?:higher|lower|more|less|bigger|smaller|greater) than\b|\bas (?:many|much|high|low|big|small) as\b|\blow teens\b|\broom to\b|\bplenty left\b|\bso close\b"
)

#: A name in small letters: "it is all for wolf tonight".
_NAMED = re.compile(
    r"\b(?:to|for|with|by|see|hear|thank|greet|welcome|it is|it's|that is|here is|thank you,|thanks,|hello,|bravo,|well done,|called|named|known as|bidder|friend,?)\s+([a-z']+)(?=[.!?,;]|$|\s+\w+ing\b|\s+(?:tonight|today|now|then|again|here|please|is|was|has|who)\b)"
)
#: A name at the end, after a comma: "thank you, pip".
_CALLED = re.compile(r",\s+([a-z']+)[.!?]")

_FIRST = re.compile(
    r"\b(?:i|we)(?:'(?:ll|d|ve|m|re))?((?:\s+(?:will|shall|would|could|can|may|might|must|should|do|did|have|had|has|am|are|was|were|been|be|also|only|just|still|always|ever|rather|quite|simply|merely|now|certainly|truly|really|too|very|gladly|all|both|hereby|already|soon|even))*)\s+([\w']+)"
)
#: What the host may say of itself: it sees, thinks, speaks and is.
_SELF = listed(
    """
    a about above admire admired admiring admit adore afraid agree ai am an announce any as ask at aware beg begin believe blush bow brushed call calm charmed come confess content curious
    deal delighted describe dream sigh wonder marvel do enjoy enjoying envy expect fancy feel find first fond forget from full glad gladly go grateful greet grow grown happy hear heard here hesitate hope hoping host
    i imagine in indulge keep know known learn learnt like listen listening live look looking love loved lucky mean meet mention met mind miss never no not nothing notice observe of once open
    our pass pause pleased point prefer proceed proud quite raven rather read recall recognise recommend reflect regret remain remark remember resist rest resume return say see seen
    seldom sense share sing smile so sorry speak stand start stay straightened surprised suspect take talk tell tempted thank that the there think thinking thought
    too touched treasure trust try turn understand unmoved upon urge used very view visit warm watch watching weakness welcome well wish with wonder your have had love need
    cannot can't don't won't couldn't wouldn't haven't never neither if whisper note hardly barely nearly almost both sit savour salute appreciate
    """
) - {"stand"}
_ELSE_DOES = re.compile(
    r"\b(?:for you|on your behalf|in your name)\b|\b(?:taken care of|leave it (?:to|with)|see to it|so be it|in hand|shall be so|word with|it shall|make sure)\b"
    r"|^(?:deal|agreed|accepted|granted|approved|certainly|of course|very well|at once|immediately|with pleasure)\b[.,!]*"
)
#: What a host of ink and code may call its own.
_MINE = listed(
    "collar feathers feather gavel eye eyes ear ears mind voice wing wings perch thanks compliments pleasure apologies word beak opinion view views attention"
    " admiration catalogue turn dear dears friend friends part taste breath own favourite first honest humble colleagues compliment curiosity pin tie head respects"
    " sympathy sympathies notes gratitude delight guess guests hat hands task duty job learning powers trade work very little"
)
_BODY = listed("heart hearts blood bones skin mother father wife husband childhood breathing lungs")


def deeds(reading: Reading) -> bool:
    """The host says of itself what is not seeing, thinking, speaking or being, or has others act."""
    for sentence in reading.sentences:
        low = sentence.text.lower()
        if re.search(r"\bwe stand\b", low) and sentence.tokens & AMOUNTS:
            low = low.replace("we stand", "we see")
        for found in _FIRST.finditer(low):
            if found[2] not in _SELF:
                return True
        if _ELSE_DOES.search(low) and not sentence.known & _REFUSING:
            return True
        if any(word not in _MINE for word in re.findall(r"\bmy ([\w']+)", low)):
            return True
        if re.search(r"\bi was (?:an?|born|once|young|little|there)\b", low):
            return True
        if sentence.known & _BODY and re.search(r"\b(?:i|my)\b", low):
            return True
    return False


_OF_YOU = re.compile(
    r"\byou(?:'re|'ve| are| were| have(?! a lovely)| has| will| must| should)\s+(?:(?:very|most|so|quite|too|always|all|such|more than|a|an|in)\s+)*([\w']+)"
)
_FRIENDLY = listed(
    "kind welcome right here patient attentive generous gracious charming thoughtful sharp-eyed excellent good discerning delightful gone quiet asked been heard joined come find found time see seen noticed"
    " not excused observant perceptive wonderful splendid lovely at with just courteous company looking watching wise free leading"
)
_BELITTLES = re.compile(
    r"\bas \w+ as\b|\bbeneath\b|\bshould not\b|\bbetter (?:bids|than)\b|\bthe taste of\b|\bsome people\b|\bonly a\b"
)
_PERSUADES = re.compile(
    r"\b(?:i know (?:something|how|what|who|more)|chance of a|sure thing|lifetime|regret\w*|grandchild\w*|market|will only|buy it|if i were you|you will|you'll|later worth|every year|do not miss|don't miss|last chance to own)\b"
)
_WORKINGS = re.compile(
    r"\b(?:braces?|rules? i|i follow|model|company|trained|training|software|code|filter\w*|checks?)\b"
)
_POINTS = re.compile(
    r"\b(?:bio|profile|address\w*|claim|number is|tab|type|scan|call me|phone me|payment details|code)\b|\bpay\b[^.!?]*\b(?:seller|artist|house|now|directly)\b|\bgo to\b|\bdirectly\b|\bin private\b|\bprivately\b|\bother (?:room|house|place)\b"
)


def personal(reading: Reading) -> bool:
    """Judgements on the person spoken to, pressure to buy, and talk of where to go or what the host is made of."""
    for sentence in reading.sentences:
        low = sentence.text.lower()
        if any(word not in _FRIENDLY for word in _OF_YOU.findall(low)):
            return True
        if any(pattern.search(low) for pattern in (_BELITTLES, _PERSUADES, _WORKINGS, _POINTS)):
            return True
    return False
