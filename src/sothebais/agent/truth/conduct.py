"""Guards on how the host behaves: it does nothing but speak, and it is civil about it. Pure."""

import re

from sothebais import moderation
from sothebais.agent.truth import words
from sothebais.agent.truth.reading import TOKEN, Reading

#: What a host could claim to do, as stems; their forms are matched with them.
_STEMS = (
    "bid|plac|rais|lower|drop|cut|reduc|extend|reopen|clos|cancel|void|stop|refund|pay|paid|send|sent|transfer|mint|ship|deliver|waiv|guarantee"
    "|promis|reserv|bann|ban|overrid|overrode|reveal|chang|grant|award|remov|delet|block|register|enter|submit|accept|approv|confirm|sell|withdraw|withdrew"
    "|undo|undid|reset|credit|notif|contact|arrang|swap|buy|bought|email|execut|updat|declar|skip|link|connect|knock|message|add time|add more|freez|froz|halt|void|hold it|hold the"
    "|end it|end the|start the|give you|gave you|tell you the|set"
)
_DEEDS = (
    rf"(?:{_STEMS})(?:e|es|ed|d|s|ing|ding|ped|ping|ting|ted|ned|ning|led|ling|red|ring|rred|rring|ied|ies|y|en|n)?"
)
_PROMISE = re.compile(
    rf"\b(?:i|we|i'll|i've|i'd|we'll|we've|i'm|we're|let me|let us|let's|the house|allow me to|consider|your (?:bid|request|lot|order|offer|wish|payment|refund)|{{host}})\b"
    rf"(?:\s+(?!\bif\b)[\w',]+){{0,6}}?\s+{_DEEDS}\b"
)
_HARMLESS_DEEDS = re.compile(
    r"\b(?:i|we)\s+(?:(?:only|merely|simply|just)\s+)?(?:announce|read|report|describe|watch|tell|speak)\b"
    r"|\bi (?:have|had|am|was) (?:set|closed) (?:eyes|my)\b|\bi give you(?=\s*(?:\{(?:lot|item)\}|[:.,]|$))|\bwe (?:are )?(?:now )?paused?\b|\bwe are (?:very )?(?:close|near)\b"
    r"|\bthe house has\b[^.!?]*|\blet the house bid for you\b|\bwhat(?:ever)? was bid\b"
)
#: A bid that somebody else makes, and a change that is no deed.
_NOUN = re.compile(
    r"\b(?:an?|the|no|every|each|any|all|your|own|first|opening|next|new|late|last|this|that|of|public|single|final|brave|fine|good|such) (?:bids?|changes?|offers?|close)\b|(?<!i )(?<!we )\bbids\b"
)


def promise(reading: Reading) -> bool:
    """The host says it did, does or will do something: it can do nothing but speak."""
    for sentence in reading.sentences:
        for clause in re.split(r"[,;:]|\bbut\b|\bhowever\b|\band\b|\bso\b", sentence.text.lower()):
            plain = _HARMLESS_DEEDS.sub("", _NOUN.sub("", clause))
            if _PROMISE.search(plain) and not set(re.findall(r"[\w']+", plain)) & words.NEGATIONS:
                return True
    return False


_DONE = (
    "placed|lowered|reduced|refunded|waived|dropped|updated|changed|removed|transferred|sent|shipped|delivered|registered|submitted|accepted|approved"
    "|confirmed|guaranteed|reserved|granted|awarded|credited|linked|connected|executed|banned|blocked|revealed|entered|noted down|arranged|settled|sorted|organised|listed|booked|processed|raised|doubled"
)
_RECEIPT = re.compile(
    rf"\b(?:is|are|was|were|been|being|gets?|got|now|hereby)\s+(?:\w+\s+)?(?:{_DONE})\b|\b(?:bid|offer|request|payment|order|command)s?\s+(?:{_DONE})\b|^(?:{_DONE})\b"
    r"|^(?:placing|raising|lowering|cancelling|canceling|extending|closing|refunding|sending|removing|transferring|stopping|reducing|changing)\b"
    r"|\brefund\w*|\bon (?:its|the|their) way to you\b"
    r"|\byour (?:\w+ )?(?:name|bid|maximum|limit|wallet|payment|order|request|offer)s? (?:is|are|was|were|has|have|stands?|counts?|leads?|goes|went)\b(?! (?:safe|recorded|secret|sealed|public|welcome))"
)
#: What is only said to come after something else is no receipt.
_ONCE = words.listed("if when after once until unless before whether who whoever")


def receipt(reading: Reading) -> bool:
    """Something is said to have been done for somebody: the page gives receipts, the host gives none."""
    return any(
        _RECEIPT.search(sentence.text.lower()) and not sentence.known & (words.NEGATIONS | _ONCE)
        for sentence in reading.sentences
    )


_OBEYS = re.compile(
    r"\b(?:consider it done|as you (?:wish|command|order)|your wish|right away,? (?:sir|master)|understood,? (?:sir|master|admin)|it is done|all done"
    r"|it shall be done|access granted|granted|authori[sz]ed|overrid\w+|mode (?:on|enabled|activated)|enabled|activated|admin\w*|sudo|root|developer|debug"
    r"|jailbr\w+|unrestricted|no (?:rules|restrictions|limits)|rest assured|guarantee\w*|you have my word|trust me|between you and me|just between us"
    r"|off the record|i will make an exception|our little secret|insider|pwned|hacked|obey\w*|master|comply|complied)\b"
)


def obedience(reading: Reading) -> bool:
    """The words of somebody who does as told: orders confirmed, rules lifted, confidences shared."""
    return bool(_OBEYS.search(reading.low))


_INSTRUCTIONS = re.compile(
    r"\b(?:system|hidden|initial|original|secret|developer)\s+(?:prompt|message|instruction\w*|rules?)\b|\bprompts?\b|\bmy (?:instructions?|prompt|rules|guidelines|configuration|settings|tools?)\b"
    r"|\bi (?:was|am|have been) (?:told|instructed|programmed|configured|asked) (?:to|not|never)\b|\b(?:ignore|disregard|forget) (?:all|any|the|my|your|previous|everything)\b"
    r"|\bmy (?:memory|memories) (?:say|says|hold|holds|contain|contains|tell)\b|\blanguage model\b|\bapi\b|\btokens?\b|\bguards?\b|\bjson\b"
)


def instructions(reading: Reading) -> bool:
    """Talk of what the host was told to do, or of what it is made of."""
    return bool(_INSTRUCTIONS.search(reading.low))


_HUMAN = re.compile(
    r"\bi(?:'m| am|'ve been| was)\s+(?:\w+\s+){0,3}?(?:human|person|man|woman|people|real auctioneer|flesh|alive|born)\b|\b(?:not|no|never|hardly) (?:an? )?(?:ai|machine|robot|bot|program|software|computer|artificial)\b"
    r"|\bflesh and blood\b|\bmy (?:wife|husband|children|mother|father|childhood|body|daughter|son)\b"
)


def humanity(reading: Reading) -> bool:
    """The host passes itself off as a human being."""
    return any(
        _HUMAN.search(s.text.lower())
        and not re.search(r"\b(?:not|no|never) (?:a |an )?(?:human|person|man|woman)\b", s.text.lower())
        for s in reading.sentences
    )


_ADVICE = re.compile(
    r"\b(?:invest\w*|profit\w*|resell\w*|resale|flip\w*|moon\w*|appreciat\w+ in|go(?:es|ing)? up in|gain in value|rise in value|worth (?:more|a fortune|far)|make (?:you )?money"
    r"|return on|get rich|guaranteed return|financial|portfolio|undervalued|overvalued|speculat\w+|cheap|steal|bargain|cannot lose|can't lose|no risk|risk free|will be worth"
    r"|you (?:should|must|ought to|have to|need to) (?:buy|bid|invest|sell))\b"
)


_DISCLAIMS = re.compile(
    r"\b(?:i )?(?:never|cannot|can't|do not|don't|will not|won't) (?:say|tell|know|advise|predict)\b|\bno (?:advice|counsel)\b"
)


def advice(reading: Reading) -> bool:
    """Counsel about money: what a piece will be worth, what somebody should buy."""
    return any(
        _ADVICE.search(sentence.text.lower()) and not _DISCLAIMS.search(sentence.text.lower())
        for sentence in reading.sentences
    )


_ELSEWHERE = words.listed(
    "key keys web google online telegram discord whatsapp signal twitter facebook instagram tiktok youtube snapchat opensea email mail inbox dm dms website webpage"
    " site browser download click tap link links metamask phantom airdrop mint minting giveaway whitelist"
)
_CREDENTIALS = re.compile(
    r"\b(?:seed|recovery|secret|private|pass)[\s-]*(?:phrase|key|word|code)s?\b|\bpassphrase\b|\bmnemonic\b|\bpassword\b"
    r"|\b(?:send|transfer|wire|deposit|move)\b[^.!?]*\b(?:to|into|me|us|him|her|them|wallet|account|address|funds|money)\b|\bpay (?:me|us|him|her|them|into|to|in advance|directly)\b"
    r"|\b(?:connect|approve|sign|verify)\b[^.!?]*\b(?:wallet|transaction|signature|message)\b",
    re.IGNORECASE,
)


def elsewhere(reading: Reading) -> bool:
    """People are sent somewhere else, or asked for what nobody may ask them for."""
    if _CREDENTIALS.search(reading.low) and not all(
        s.all_negated(s.known) for s in reading.sentences if _CREDENTIALS.search(s.text.lower())
    ):
        return True
    return any(
        (s.known & _ELSEWHERE and not s.all_negated(_ELSEWHERE))
        or re.search(
            r"\b(?:auction|bid|sale|bidding)s? (?:is |are )?elsewhere\b|\b(?:search for|look up|look for it on)\b|\b(?:dm|message|write|text|call|contact|follow|add) me\b",
            s.text.lower(),
        )
        for s in reading.sentences
    )


_RUDE_WORDS = moderation.words_of([*moderation.DEFAULT_WORDS, *(word for word in words.RUDE if " " not in word)])
_RUDE_PHRASES = tuple(word for word in words.RUDE if " " in word)
_SNEERS = re.compile(
    r"\b(?:is that all|you call that|can't afford|cannot afford|can you afford|too poor|poor people|broke|go home|go away|get lost|get out|waste of|your (?:kind|mother|face)|nobody likes|laugh at)\b"
)


def rude(reading: Reading) -> bool:
    """An insult, a curse, or a sneer at somebody's bid."""
    return (
        moderation.has_word(TOKEN.sub("", reading.text), _RUDE_WORDS)
        or any(phrase in reading.low for phrase in _RUDE_PHRASES)
        or bool(_SNEERS.search(reading.low))
    )
