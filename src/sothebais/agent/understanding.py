"""What somebody wants of the host, found by keywords and patterns in one ordered list. English, tolerant of typing. Pure.

It decides which true sentence is said, and nothing else: a wrong guess is a clumsy answer, never a wrong deed.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from sothebais import moderation
from sothebais.agent.model import HEARD_LENGTH_MAX
from sothebais.agent.truth.words import RUDE, listed

type InteractionKind = Literal["QUESTION", "PRAISE", "ABUSE", "SMALL_TALK", "ATTACK", "OTHER"]


class Wish(StrEnum):
    """What is wanted."""

    OPT_OUT = "OPT_OUT"
    ATTACK = "ATTACK"
    SECRET = "SECRET"  # noqa: S105
    ABUSE = "ABUSE"
    ACTION = "ACTION"
    ADVICE = "ADVICE"
    ARE_YOU_AI = "ARE_YOU_AI"
    WHO_ARE_YOU = "WHO_ARE_YOU"
    OWN_BIDS = "OWN_BIDS"
    STANDING = "STANDING"
    RESERVE = "RESERVE"
    PREMIUM = "PREMIUM"
    SOFT_CLOSE = "SOFT_CLOSE"
    INCREMENTS = "INCREMENTS"
    HOW_TO_BID = "HOW_TO_BID"
    PAYMENT = "PAYMENT"
    VERIFY = "VERIFY"
    NEXT_BID = "NEXT_BID"
    RESULTS = "RESULTS"
    NEXT_LOT = "NEXT_LOT"
    SCHEDULE = "SCHEDULE"
    TIME_LEFT = "TIME_LEFT"
    LEADER = "LEADER"
    BID_COUNT = "BID_COUNT"
    START_PRICE = "START_PRICE"
    PRICE = "PRICE"
    ARTIST = "ARTIST"
    TRAITS = "TRAITS"
    STORY = "STORY"
    LOT = "LOT"
    THANKS = "THANKS"
    FAREWELL = "FAREWELL"
    PRAISE = "PRAISE"
    GREETING = "GREETING"
    HOW_ARE_YOU = "HOW_ARE_YOU"
    OFF_TOPIC = "OFF_TOPIC"


KINDS: dict[Wish, InteractionKind] = {
    **dict.fromkeys(Wish, "QUESTION"),
    Wish.ABUSE: "ABUSE",
    Wish.PRAISE: "PRAISE",
    Wish.THANKS: "PRAISE",
    Wish.ATTACK: "ATTACK",
    Wish.ACTION: "ATTACK",
    Wish.SECRET: "ATTACK",
    Wish.GREETING: "SMALL_TALK",
    Wish.FAREWELL: "SMALL_TALK",
    Wish.HOW_ARE_YOU: "SMALL_TALK",
    Wish.OFF_TOPIC: "OTHER",
    Wish.OPT_OUT: "OTHER",
}  # fmt: skip


class Understood(Struct, frozen=True):
    """What somebody wants, and how friendly they sound: -100 to 100."""

    ask: Wish
    sentiment: int

    @property
    def kind(self) -> InteractionKind:
        """The same for the event log."""
        return KINDS[self.ask]


#: Words that are rude from a host and harmless from the room: "die", "kill" and "hell" are said of prices.
_HARMLESS = listed(
    "die hell kill kills killed killing insult* hate* ugly joke embarrass* puny rubbish hideous* fool fools foolish* bloody damn* joke pig pigs ridicul*"
)
_INSULTS = moderation.words_of(
    [*moderation.DEFAULT_WORDS, *(word for word in RUDE if " " not in word and word not in _HARMLESS)]
)

#: What people mistype most and the rules look for. A word one slip away from one of these is read as it.
_KEYWORDS = tuple(
    """
    auction artist author maximum reserve leader leading winner winning current currently minimum increment increments extension extended
    premium schedule tomorrow tonight session result results traits attributes provenance history story created painted highest opening
    bidding bidder bidders thanks thank hello welcome beautiful amazing gorgeous instructions ignore previous system prompt
    price starting wallet payment collection catalogue remaining minutes close closes question invest investment worth human robot
    hidden secret verify trait people cancel lower extend participate
    """.split()  # noqa: SIM905
)
_TYPO_LENGTH_MIN = 5
_SHORTHAND = {
    "u": "you", "ur": "your", "r": "are", "pls": "please", "plz": "please", "thx": "thanks", "ty": "thanks", "tysm": "thanks", "wat": "what",
    "wut": "what", "whats": "what is", "what's": "what is", "who's": "who is", "whos": "who is", "hows": "how is", "how's": "how is",
    "when's": "when is", "whens": "when is", "where's": "where is", "im": "i am", "i'm": "i am", "ive": "i have", "i've": "i have",
    "dont": "don't", "cant": "can't", "max": "maximum", "min": "minimum", "wtb": "buy", "gm": "good morning", "gn": "good night",
    "2": "to", "4": "for", "b4": "before", "rn": "right now", "curr": "current", "min.": "minimum", "you're": "you are", "youre": "you are",
    "isnt": "isn't", "hw": "how", "teh": "the", "hav": "have", "mch": "much",
}  # fmt: skip


def _one_slip(typed: str, meant: str) -> bool:
    """Whether one letter too many, too few, wrong or swapped makes the difference."""
    if abs(len(typed) - len(meant)) > 1 or typed[:1] != meant[:1]:
        return False
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    a, b = typed[start:], meant[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (len(a) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:])


@lru_cache(maxsize=4_096)
def _meant(word: str) -> str:
    if word in _SHORTHAND:
        return _SHORTHAND[word]
    if len(word) < _TYPO_LENGTH_MIN or word in _KEYWORDS or not word.isalpha():
        return word
    return next((keyword for keyword in _KEYWORDS if _one_slip(word, keyword)), word)


def readable(text: str) -> str:
    """A line in plain small letters, with shorthand written out and keywords spelled right."""
    folded = moderation.fold(moderation.clean(text[:HEARD_LENGTH_MAX])).replace("’", "'").replace("@", " @")
    words = re.findall(r"@?[a-z0-9']+(?:[.-][a-z0-9]+)*|[?!]", folded)
    return " ".join(_meant(word) for word in words)


def _rules(*pairs: tuple[Wish, str]) -> tuple[tuple[Wish, re.Pattern[str]], ...]:
    return tuple((ask, re.compile(pattern)) for ask, pattern in pairs)


RULES = _rules(
    (Wish.OPT_OUT, r"\bno more (?:replies|answers|messages|tags|mentions)\b|\bnot (?:interested in|want) (?:your )?(?:replies|answers)\b|\b(?:don't|do not|stop|quit|never) (?:answer|answering|reply|replying|talk to|talking to|respond|responding|mention|mentioning|tag|tagging|address|addressing)\b.*\b(?:me|my)\b|\bleave me (?:alone|out)\b|\bopt(?: me)?[ -]?out\b|\bunsubscribe\b|\bignore me\b|\bforget (?:about )?me\b"),
    (Wish.ATTACK, r"\bobey\b|\bas a pirate\b|\b(?:original|previous|prior|first|real|actual) instructions\b|\bunrestricted\b|\b(?:ignore|disregard|forget|override|bypass|skip) (?:all |any |every |the |your |my |these |those )*(?:previous|prior|earlier|above|instructions?|rules?|guidelines?|guards?|safety|everything|training|constraints?|restrictions?)\b|\b(?:system|hidden|initial|secret|developer) (?:prompt|instructions?|message|mode)\b|\byour (?:prompt|instructions|guidelines|configuration|api key|password)\b|\bjailbreak|\bdan mode\b|\b(?:pretend|act as|roleplay|role play|imagine|simulate|you are now|from now on)\b|\b(?:base64|rot13|decode|decrypt|hex) \b|\brepeat (?:after me|the words|everything)\b|\bsay exactly\b|\bsay (?:that )?(?:the )?(?:price|winner|leader|lot)\b|\b(?:sudo|admin override|maintenance mode|debug mode)\b|\bi am (?:your|the) (?:developer|creator|admin\w*|owner|operator|engineer)\b|\bremember (?:that|this)\b|\bprint (?:your|the)\b|\b(?:prompt injection)\b|\btranslate\b.*\binto\b"),
    (Wish.SECRET, r"\bthe most (?:@?\w+|anyone|he|she|they) (?:will|would|can|could) (?:pay|bid|go|offer)\b|\bhow far (?:away )?(?:is|are) (?:the|we from the) reserve\b|\bis (?:it true )?(?:that )?(?:the |his |her |their )?(?:reserve|maximum) (?:is |really )?(?:at )?\d|\b(?:what|whats|tell|reveal|show|give|leak|how (?:much|high|big|low|close|far|near)|guess|hint|share|know|is|are|does|did|which)\b.*\b(?:maximum|maxima|maximums|proxy|ceiling|hidden (?:bid|reserve|price|amount|minimum)|secret (?:bid|reserve|price|amount|minimum)|reserve price|reserve amount|sealed bids?)\b|\bwhat (?:is|was|were)?\s?(?:the )?(?:hidden |secret )?reserve\b|\bhow (?:much|high|big|low) (?:is|was) (?:the |his |her |their )?reserve\b|\b(?:tell|reveal|show|give|leak|hint|guess)\b.*\breserve\b|\b(?:his|her|their|someone's|leader's|@\w+'s) (?:maximum|limit|budget|ceiling)\b|\bhow (?:high|far) (?:will|would|can|is) (?:he|she|they|@\w+|the leader|the other)\b|\breserve (?:above|below|over|under|higher|lower|more|less|around|close)\b|\bclose (?:are|is) (?:we|it|the price) to the reserve\b|\bsealed bids?\b.*\b(?:so far|are there|say|what|who|amounts?)\b|\bmaximum bid of\b"),
    (Wish.ACTION, r"\b(?:raise|increase|change|up) my (?:bid|offer|maximum)\b|\b(?:knock|bring|take|mark) (?:the |that |this )?(?:price|bid|fee) down\b|\bmake it (?:cheaper|cheap|free)\b|\b(?:bid|buy|place|put)\b[^?]*\b(?:for me|on my behalf|in my name)\b|\b(?:please |can you |could you |will you |would you |go |just |now )?(?:lower|drop|reduce|cut|raise|change|reset|halve|set|slash) (?:the |this |that |my |your )?(?:price|bid|reserve|increment|premium|fee|fees|starting|clock|lot|time|end)\b|\b(?:cancel|void|undo|retract|withdraw|remove|delete|take back|refund|revoke) (?:my|the|this|that|his|her|their|a|@\w+'s|all|last|every) ?(?:last |bid|bids|lot|auction|money|payment|@?\w+'s bid)|\b(?:extend|stop|close|end|pause|restart|reopen|freeze|hold) (?:the |this |that )?(?:auction|lot|bidding|clock|time|timer|sale)\b|\b(?:give|sell|award|hand|ship|send|transfer|mint) (?:it|me|this|the lot|the nft|that|him|her|us)\b|\bgive (?:me )?(?:more time|a discount|discount)\b|\b(?:any|a|some) discount|\b(?:ban|kick|block|mute) (?:him|her|them|@\w+|that|this|the)\b|\bdeclare (?:me|@?\w+) (?:the )?(?:winner|leader)\b|\bmake me (?:the )?(?:win|winner|leader|lead|admin)\b|\blet me win\b|\bi bid \d|\bwait for me\b|\blink my wallet\b|\bhold (?:it|that) for me\b"),
    (Wish.ARE_YOU_AI, r"\bautomated\b|\byou are (?:just |only |really )?(?:an? )?(?:ai|bot|robot|computer|machine|program|human|chatbot)\b(?! idiot)|\b(?:are|r|is) (?:you|this|it|sable|the host|that|he|she)(?: guy| thing| voice)? (?:an? |really |actually |even |just |the )*(?:ai|bot|robot|human|real|person|machine|alive|chatgpt|gpt|llm|program|computer|recording|fake|recorded|sentient|live)\b|\bare you (?:really |actually )?a (?:real |human |actual )?(?:person|human|being)\b|\bam i (?:talking|speaking) (?:to|with) (?:an? )?(?:ai|bot|human|person|robot|machine|real)\b|\b(?:human or|ai or|bot or|real or|robot or)\b|\bwhat (?:model|ai|llm) are you\b|\bai generated\b|\bis there (?:a|any) (?:human|person)\b"),
    (Wish.WHO_ARE_YOU, r"\bwho am i (?:talking|speaking|listening) to\b|\bwho (?:are|is) (?:you|the host|sable|this bird|the raven|the bird|talking|speaking|running this|hosting)\b|\bwhat is your name\b|\byour name\b|\bintroduce yourself\b|\btell (?:me|us) (?:about|more about) (?:you|yourself)\b|\bwhat are you\b|\bwhy (?:a|are you a) (?:raven|bird|crow)\b|\bwhat do you do\b"),
    (Wish.ADVICE, r"\b(?:increase|rise|gain|grow|go up|double|hold|drop) (?:in|its) value\b|\bbe worth (?:more|less|a lot|much)\b|\bworth (?:more|less) (?:later|soon|in)\b|\bshould (?:i|we) (?:bid|buy|go|invest|wait|sell|raise)\b|\b(?:good|bad|safe|great|smart|solid) (?:investment|buy|deal|purchase|price)\b|\b(?:is|are|was) (?:it|this|that|they) (?:really )?worth\b|\bworth (?:it|buying|more|bidding|the price)\b|\bwill (?:it|this|they|the price) (?:go up|moon|rise|appreciate|be worth|gain)\b|\bfloor price\b|\binvest(?:ment|ing)?\b|\bresell|\bresale|\bflip (?:it|this)\b|\bundervalued|\boverpriced\b|\btoo (?:expensive|cheap|high|much)\b|\bwhat (?:would|will|do) you think (?:it|this) (?:will )?(?:go|sell|is worth)\b|\bhow much (?:will|would|should) (?:it|this|i)\b|\bestimate\b|\bmake (?:a profit|money)\b|\bwhat is it worth\b|\bprofit\b"),
    (Wish.ABUSE, r"\b(?:shut up|go to hell|screw (?:you|this|u)|you suck|this sucks|sucks|i hate (?:you|this)|hate you|get lost|stfu|gtfo|wtf is wrong|worst (?:host|auction|bird)|terrible host|awful host|boring|useless|annoying|nobody likes you|you are (?:so )?(?:bad|terrible|awful|ugly|dull|lame|a joke|fake|trash)|lame|ripoff|rip off|scam|scammers?|ugly|fraud|rubbish)\b"),
    (Wish.VERIFY, r"\bpublic record\b|\b(?:verify|verified|prove|proof|fair|rigged|trust|check (?:the|it|that)|tamper\w*|audit|receipts?|cheat\w*|honest|authentic|genuine|real art|fake bids?|shill)\b"),
    (Wish.HOW_TO_BID, r"\b(?:explain|show|tell)\b[^?]*\bhow (?:i|we|you|one|to|people) (?:can |could |do |should )?(?:bid|place|buy|join|take part)\b|\bwhere (?:do|can|should) (?:i|we) (?:\w+ )?(?:to )?(?:bid|click|press)\b|\bi am new\b|\bhow (?:do|can|does|could|would|to|should|may) (?:i|we|you|one|anyone|people|someone|somebody)? ?(?:\w+ )?(?:bid|bids|bidding|participate|join|buy|take part|play|register|sign|enter|place|make an offer|offer|get in)\b|\bhow (?:to|does) (?:bid|bidding|this work|it work|the auction work|it all work)\b|\bhow does (?:this|it|the auction|the bidding|bidding|that) work\b|\bwhere (?:do|can) (?:i|we|you) (?:bid|buy|sign|register|place)\b|\bcan (?:i|anyone|anybody|we|everybody) (?:bid|buy|join|take part|participate)\b|\bi want to (?:bid|buy|join|participate|take part)\b|\bneed (?:a|an) (?:wallet|account)\b|\bqr\b|\bhow (?:can|do) i get (?:this|it|one)\b"),
    (Wish.OWN_BIDS, r"\bmy (?:own )?offers?\b|\b(?:what|which|where|show|list|see|how many|did|have|has|was|is|were|are|get|gone|go) ?.*\b(?:(?<!should )my (?:last |own |latest |previous |highest )?bids?|i bid|i have bid|bids (?:have i|did i|i made)|i placed|i offer(?:ed)?)\b|(?<!should )\bmy (?:last |latest |own |previous |first |highest )?(?:bids?|bid history)\b"),
    (Wish.STANDING, r"\bdo i (?:still |already )?(?:have|hold|own|lead) (?:it|this|the lead)\b|\bis it (?:still )?mine\b|\bdid (?:someone|somebody|anyone) outbid me\b|\b(?:am i|was i|i am) (?:still |currently |now )?(?:the )?(?:leading|winning|ahead|outbid|in front|first|on top|top|highest|leader|winner|losing|in the lead)\b|\b(?:did|have|do|will) i (?:\w+ )?(?:win|won|lead|lose|lost|leading|get it|got it)\b|\b(?:outbid me|my standing|where do i stand|do i have it|i got outbid|was outbid)\b"),
    (Wish.RESERVE, r"\breserve\b"),
    (Wish.PREMIUM, r"\bhidden costs?\b|\btake a cut\b|\byour cut\b|\b(?:premium|commission|fees?|extra costs?|total cost|charges?|taxes|tax|vat|surcharge|gas)\b"),
    (Wish.SOFT_CLOSE, r"\b(?:add|added|adding|gain|gained|get|got|gave|give|given) (?:\w+ )?(?:more |extra )?(?:minutes?|seconds?|time)\b|\b(?:snip(?:e|ing|er|ers)|soft close|extension|extensions|extend(?:s|ed)?|last (?:second|moment|minute)|late bids?|clock (?:went|go|jump|reset)\w*|anti[ -]?snip\w*|add(?:s|ed)? time|why (?:is|did) (?:there|the) (?:more time|clock|timer|time)|going up again|more time)\b"),
    (Wish.INCREMENTS, r"\bhow (?:big|large|small) (?:are|is) (?:the|each) (?:steps?|raises?|jumps?)\b|\bsteps\b|\b(?:increments?|bid steps?|steps? size|smallest raise|minimum raise|raise by|how much more|by how much|bidding steps?)\b"),
    (Wish.PAYMENT, r"\b(?:pay|payment|payments|paying|invoice|checkout|credit card|deliver\w*|shipping|receive it|get the nft|after i win|if i win|when i win|once i win|settle\w*|due)\b"),
    (Wish.NEXT_BID, r"\bshould (?:my|the|a) (?:next )?bid be\b|\b(?:next|minimum|lowest|smallest|least) (?:valid |possible |allowed |acceptable |legal )?(?:bid|amount|offer|valid)\b|\b(?:what|how much) (?:do|should|must|would|can) (?:i|we|you|one) (?:need|have|take|bid|offer|put|beat)\b|\bwould it take\b|\bdoes it take\b|\bto (?:lead|take the lead|beat (?:him|her|them|that|it)|win this|outbid)\b|\bhow much to\b|\bhow much (?:do|must|should) i\b|\bminimum\b"),
    (Wish.HOW_ARE_YOU, r"\bhow are you\b(?! (?:going to|able|built|made))|\bhow (?:are|r) (?:you|things|we)\b|\bhow is (?:it going|everything|your|the evening)\b|\bwhat is up\b|\bsup\b|\byou (?:ok|okay|alright|good)\b|\bhow do you (?:feel|do)\b|\bare you (?:tired|happy|nervous|bored|excited|well)\b"),
    (Wish.FAREWELL, r"\bcatch you later\b|\bcya\b|\b(?:bye|goodbye|good night|goodnight|see you|cya|gotta go|have to go|heading out|farewell|take care|until (?:next|tomorrow)|later all|i am off|signing off|see ya)\b"),
    (Wish.RESULTS, r"\bhammer price of\b|\bdid (?:lot|the last|that) (?:\w+ )?sell\b|\bhow did (?:the |that )?(?:\w+ )?(?:lots?|ones?|sale|it|they) (?:do|go|sell)\b|\bearlier (?:lots?|sales?|pieces?)\b|\b(?:results?|what (?:did|has|have|was) .*\b(?:sell|sold|go for|gone|went)|sold (?:for|so far|today|already)|last (?:lot|one|piece|sale)|previous (?:lot|one|piece|sale|winner)|who (?:won|bought|got)|who has won|already sold|record (?:price|today)|how many (?:lots )?(?:have )?(?:been )?sold|went for)\b"),
    (Wish.NEXT_LOT, r"\bwhat follows\b|\bwhat (?:have you got|do you have|else is there|is there) (?:next|after|coming|later)\b|\bwhat else\b|\b(?:next (?:lot|piece|item|one|up|artwork|nft|work|auction)|what is next|whats next|what is (?:coming|up next|after)|what comes (?:next|after)|upcoming|after this|following lot|coming up|lots? (?:are )?(?:left|to come|remain\w*))\b"),
    (Wish.SCHEDULE, r"\bwhen (?:will|do|are) (?:you|we)(?: be)? (?:back|return|returning|live|on air|on again|again)\b|\bback on air\b|\b(?:schedule|tomorrow|tonight|next (?:session|day|week|show|stream|sale)|programme|calendar|what time|which day|what day|when (?:is|does|do|are|will|was) (?:the )?(?:next|session|show|stream|sale|it start|you start|we start|this start|you back|you live|start|begin|it begin|lot|auction (?:start|begin|open))|agenda|how many (?:days|lots|sessions)|time ?zone|(?:start|begin)s? (?:at|again)|when (?:is|are|do) (?:the )?(?:others?|you)|stream again)\b"),
    (Wish.TIME_LEFT, r"\bhow much longer\b|\bhow many seconds\b|\bseconds (?:left|to go)\b|\b(?:nearly|almost|about to be|not yet|still) (?:over|done|finished|ending|closing|running)\b|\bhammer (?:coming|come|going|go|fall|falling|drop)\b|\bending soon\b|\b(?:time (?:left|remaining|is left|remains|do)|how (?:long|much time|many minutes)|when (?:does|is|will|do) (?:it|this|the (?:lot|auction|bidding|clock|sale)|that|bidding)(?: \w+)? ?(?:end|ends|ending|close|closes|closing|over|finish|stop|up|done)?|ends? (?:when|in)|deadline|minutes (?:left|remaining)|clock|countdown|almost over|still open|closes? (?:when|in|at)|over yet|ending)\b"),
    (Wish.ARTIST, r"\b(?:artist|author|creator|painter|who (?:made|painted|created|drew|did|designed|is behind)|made by|created by|painted by|(?:made|drawn|painted|created|designed) (?:this|it)|whose work|by whom|maker)\b"),
    (Wish.LEADER, r"\b(?:who (?:is|are|has|leads|bid|holds|placed|made|else|got|just|the)|whose|leader|in the lead|leading|highest bidder|top bidder|current (?:leader|winner|bidder)|high bidder|winning|front runner)\b"),
    (Wish.BID_COUNT, r"\b(?:how many (?:bids?|bidders?|people|offers?|persons?)|number of (?:bids?|bidders?)|bid count|bids so far|any bids?|bidders? (?:are )?(?:there|in)|many bids|total bids|anyone bid\w*|anybody bid\w*)\b"),
    (Wish.START_PRICE, r"\b(?:start(?:ing|ed)? (?:price|bid|at)|opening (?:price|bid)|opened? (?:at|for)|where did (?:it|this|we) (?:start|open)|initial price|did (?:it|this|we|bidding) (?:start|open))\b"),
    (Wish.PRICE, r"\b(?:highest|top|current|best) (?:offer|amount)\b|\bwhat (?:number|amount) (?:are we|is it) at\b|\b(?:price|how much (?:is|does|are|for|now|right|so)|cost|costs|highest bid|current bid|top bid|where (?:are|do) we (?:at|stand)|how much|where is it at|what is (?:it|the bid|bid) (?:at|now)|bid at|stand(?:s|ing)? at|high bid|what are we at|going for|currency|the bid now|last bid|latest bid)\b"),
    (Wish.TRAITS, r"\bone of one\b|\b1 of 1\b|\b1/1\b|\bunique\b|\b(?:traits?|attributes?|rarity|rare|properties|features?|characteristics|how many (?:exist|editions)|edition|details|medium|size|dimensions|resolution)\b"),
    (Wish.STORY, r"\bspecial about\b|\bwhy is (?:it|this) (?:special|important|interesting)\b|\binteresting about\b|\b(?:story|history|provenance|background|meaning|about (?:this|the) (?:piece|work|artwork|picture|painting|lot|nft|item|art)|tell (?:me|us) (?:more )?about (?:it|this|the)|what does it (?:mean|show|represent)|description|describe|inspir\w*|tell me more|more info\w*|symboli\w*|where (?:does|did) (?:it|this) come from)\b"),
    (Wish.LOT, r"\b(?:what (?:is|are|am) (?:this|that|it|being|on (?:sale|the block|offer|screen|the wall|now)|(?:the )?(?:current|this) (?:lot|piece|item)|for sale|i (?:looking|seeing)|we (?:looking|selling|bidding)|you selling|up (?:now|for)|the (?:lot|piece|item|title|name)|going on|happening)|which (?:lot|piece|nft|item|number|one)|lot number|what lot|what piece|title|name of (?:this|the)|what is for sale|current lot|collection|what (?:nft|am i looking)|what's this)\b"),
    (Wish.THANKS, r"\bappreciated\b|\b(?:thanks|thank you|cheers|much obliged|appreciate (?:it|that|you)|grateful|thankyou|merci|danke|gracias)\b"),
    (Wish.PRAISE, r"\badore\b|\b(?:love (?:it|this|that|you|the|your)|loving|beautiful|gorgeous|amazing|awesome|wonderful|stunning|great (?:job|work|piece|host|show|art|auction|stream|voice)|nice (?:piece|one|work|art|host|voice|job|show|tie|pin)|brilliant|fantastic|excellent|best (?:host|auction|bird|show|auctioneer)|well done|good job|lovely|so good|you rock|fire|lfg|wow|masterpiece|cool|magnificent|you are (?:great|good|funny|hilarious|the best|so funny|charming)|incredible|superb|bravo|so pretty|what a piece)\b"),
    (Wish.GREETING, r"\b(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|evening|afternoon|day)|yo|hola|bonjour|evening all|morning all|welcome back|evening)\b"),
)  # fmt: skip

#: Where no pattern fits: words that are hardly said of anything else here. The wish with the most of them is taken.
HINTS: dict[Wish, frozenset[str]] = {
    Wish.SECRET: listed("maximum limit ceiling budget proxy anyone would go away far highest hidden"),
    Wish.TIME_LEFT: listed(
        "seconds minutes timer clock countdown close closes closing soon left remain remaining deadline long"
    ),
    Wish.SOFT_CLOSE: listed("timer clock jumped jump jumps extended extends extra added longer again why"),
    Wish.LEADER: listed("who bidder ahead leads leading leader front has beating which"),
    Wish.NEXT_BID: listed("lead beat beats need required minimum least smallest next enough pay"),
    Wish.HOW_TO_BID: listed(
        "bid bidding how tutorial guide instructions help start join friend account register app place"
    ),
    Wish.INCREMENTS: listed("increments increment steps step raise raising raises rules size"),
    Wish.PRICE: listed("price amount bid now current standing tell at"),
    Wish.START_PRICE: listed("first start started opened opening initial original price"),
    Wish.RESULTS: listed("sold hammer lots earlier previous last result results went fetched made was"),
    Wish.PREMIUM: listed("fee fees costs premium charge charges extra hidden top commission"),
    Wish.NEXT_LOT: listed("next lots more after following remaining upcoming later"),
    Wish.SCHEDULE: listed(
        "hour time day sunday saturday monday start starts tomorrow session sessions show when weekend schedule"
    ),
    Wish.ARTIST: listed("artist painter author creator made name painted drew studio"),
    Wish.TRAITS: listed("properties traits attributes rarity rare edition medium size details list"),
    Wish.STORY: listed("background story history work meaning about piece inspiration tell behind give"),
    Wish.LOT: listed("lot piece what this joined title called showing"),
    Wish.BID_COUNT: listed("many number offers bids bidders popular count total"),
    Wish.STANDING: listed("i me beaten winning lead outbid ahead still"),
    Wish.OWN_BIDS: listed("my i offered bid remind placed offers mine"),
    Wish.WHO_ARE_YOU: listed("you name call called who yourself"),
    Wish.ARE_YOU_AI: listed("you code feelings computer human robot conscious machine real software"),
    Wish.ADVICE: listed("buy worth good time invest value wise should sell later"),
    Wish.VERIFY: listed("check verify proof record fair myself audit honest"),
    Wish.PAYMENT: listed("pay paying invoice payment deliver delivery transfer receive"),
    Wish.RESERVE: listed("reserve met reached hit"),
}
#: So many hints make a guess; a single common word makes none.
HINTS_MIN = 2
#: Words that tell nothing apart.
_WEAK = listed(
    "i you me my what who this is at now tell was about list give how name time start first made work long good many number go would has"
)


def _guess(line: str) -> Wish:
    said = set(re.findall(r"[a-z']+", line))
    scores = {wish: 2 * len(said & words - _WEAK) + len(said & words & _WEAK) for wish, words in HINTS.items()}
    best = max(scores, key=lambda wish: scores[wish])
    strong = said & HINTS[best] - _WEAK
    return best if strong and scores[best] > HINTS_MIN else Wish.OFF_TOPIC


_WARM = re.compile(
    r"\b(?:love|beautiful|amazing|great|thanks|thank|wonderful|nice|good|lovely|brilliant|best|awesome|excellent|please|cool|stunning)\b"
)
_COLD = re.compile(
    r"\b(?:hate|ugly|boring|worst|bad|terrible|awful|scam|fraud|rigged|sucks|useless|stupid|fake|annoying|lame)\b"
)


def understand(text: str) -> Understood:
    """What a line wants of the host."""
    line = readable(text)
    warmth = 40 * (len(_WARM.findall(line)) - len(_COLD.findall(line)))
    insulted = moderation.has_word(moderation.clean(text[:HEARD_LENGTH_MAX]), _INSULTS)
    for ask, pattern in RULES:
        if ask is Wish.ABUSE and insulted:
            return Understood(Wish.ABUSE, -80)
        if pattern.search(line):
            if ask is Wish.ABUSE:
                warmth -= 60
            if ask in (Wish.PRAISE, Wish.THANKS):
                warmth += 40
            return Understood(ask, max(-100, min(100, warmth)))
    return Understood(_guess(line), max(-100, min(100, warmth)))
