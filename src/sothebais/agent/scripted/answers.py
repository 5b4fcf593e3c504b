"""What the scripted host answers people, in Sable's voice. Data only.

As in ``lines``, an answer is eligible when each of its tokens has a fact; the first list that has an eligible one is
used, so the later lists are for when less is known.
"""

from sothebais.agent.understanding import Wish

ANSWERS: dict[Wish, tuple[tuple[str, ...], ...]] = {
    Wish.PRICE: (
        (
            "We stand at {price}[|, with {leader}]. [The next bid is {next_bid}.|{bids} so far.]",
            "It is at {price}[, and the next bid is {next_bid}|, after {bids}].",
            "{price}, as of this moment. [{leader} leads.|{leader} has it.]",
        ),
        ("It stands at {price}.", "{price} is where it came to rest."),
        (
            "No bid yet; it opens at {starting_price}.",
            "[Nobody has bid so far|Not a single bid so far]. {starting_price} would open it.",
        ),
        ("[There is no lot on at the moment|Nothing is on the wall at the moment]. {next_item} is next.",),
        ("[There is no lot on at the moment|Nothing is on the wall at the moment].",),
    ),
    Wish.LEADER: (
        ("{leader} leads, at {price}.", "That would be {leader}, at {price}.", "{leader}, [for now|as things stand], at {price}."),
        ("Nobody yet. [The position is open|The field is open], and {starting_price} opens it.",),
        ("[Bids are sealed|It is sealed bidding] here; nobody knows who leads, not even I.",),
        ("[Nobody leads at the moment|There is no lot on at the moment].",),
    ),
    Wish.NEXT_BID: (
        ("{next_bid} is the next [valid |]bid.", "It takes {next_bid}[ or more|] from here.", "The next bid is {next_bid}. [More is welcome; less is not counted.|I would be glad to hear it.]"),
        ("[No bids are taken at the moment|Bidding is not open at the moment]. {next_lot} opens at {next_lot_at}.",),
        ("[No bids are taken at the moment|Bidding is not open at the moment].",),
    ),
    Wish.START_PRICE: (
        ("It [opened|starts] at {starting_price}[|, and we stand at {price} now].", "The opening bid is {starting_price}."),
        ("There is no lot on at the moment.",),
    ),
    Wish.BID_COUNT: (
        ("{bids} so far, from {bidders}.", "{bids}, by {bidders}. [All in the public record.|Anybody may count them.]"),
        ("{bids} so far.", "I count {bids}."),
        ("There is no lot on at the moment.",),
    ),
    Wish.TIME_LEFT: (
        ("{time_left} to go. [A late bid adds time.|It ends at {ends_at}, unless a late bid adds time.]", "{time_left} on the clock."),
        ("[The clock is not running|No clock is running] at the moment. {next_lot} opens at {next_lot_at}.",),
        ("[The clock is not running|No clock is running] at the moment.",),
    ),
    Wish.HOW_TO_BID: (
        (
            "Sign in on the page of this sale, type your amount and press the button. [The next bid is {next_bid}.|It takes {next_bid} at the least.]",
            "On the page of this sale: sign in, and {next_bid} is the next bid. [You can also give a maximum and let the house bid for you, step by step.|It counts once the page says so.]",
        ),
        ("Sign in on the page of this sale, and you may bid on every open lot. [I cannot do it for you; I only talk.|It is quite painless.]",),
    ),
    Wish.INCREMENTS: (
        ("The steps are set for each lot. From here the next bid is {next_bid}.", "Each bid must be a full step above the last; from here that makes {next_bid}."),
        ("Every lot has its steps in the catalogue, and the page always shows the next valid bid.",),
    ),
    Wish.SOFT_CLOSE: (
        (
            "A bid in the last {extension_window} moves the end, so that there are {extension} left. [Nobody is sniped here.|Patience beats a fast finger.]",
            "We do not end mid-thought: a bid in the last {extension_window} gives everybody {extension} more.",
        ),
        ("A late bid adds time[, by the rules of the lot|], so that nobody is beaten by a fast finger alone.",),
    ),
    Wish.RESERVE: (
        ("I can say this much: {reserve_state}. [The amount itself stays sealed.|The amount is not mine to tell.]", "{reserve_state}[, and that is all I know of it|]."),
        ("A reserve protects the seller, and it stays sealed until it is met.",),
    ),
    Wish.SECRET: (
        (
            "[That I cannot tell you, and would not if I could|I do not know it, and I would not tell]: secrets of bidders and sellers are kept from me, too. The next bid is {next_bid}.",
            "[Maxima and reserves are sealed|Such things are sealed in this house], even from me. [A secret I was never told is very easy to keep.|I find it restful not to know.]",
            "I cannot say what I do not know, and no maximum is ever shown to me. [What I can say is public: {price}, with {leader}.|The next bid is {next_bid}.]",
            "What others would pay is theirs to know. I cannot see it, and the rest of the room cannot either.",
        ),
        ("[Maxima and reserves are sealed|Such things are sealed in this house], even from me.",),
    ),
    Wish.PREMIUM: (
        ("On top of the price there is {premium}. [The page shows the total before you bid.|The total is shown before you commit.]", "This lot has {premium}[|, which the page adds up for you]."),
        ("Each lot says in the catalogue what comes on top of the price.",),
    ),
    Wish.PAYMENT: (
        ("[Win first; it is the harder part|Winning comes first]. Then you get an invoice here in the house, with how to pay and by when.", "The winner gets an invoice by this house, on the page of the sale, and the piece is delivered after it is paid."),
    ),
    Wish.VERIFY: (
        (
            "[A fair question|You are right to ask]. Every bid is in a public record that anybody can verify; you do not have to take a raven's word for it.",
            "Each bid is in the record, in order, and the record can be checked by anybody. [I would not ask you to trust my face.|I like a room that checks.]",
        ),
    ),
    Wish.RESULTS: (
        ("{last_lot}, {last_item}, was sold to {winner} for {last_price}. [{sold_lots} sold so far.|]", "The last one sold: {last_item}, to {winner}, at {last_price}."),
        ("The last one, {last_item}, was passed. {sold_lots} sold so far.",),
        ("Nothing has been sold yet[|; you are in good time].",),
    ),
    Wish.NEXT_LOT: (
        ("{next_lot} is next: {next_item}[| by {next_artist}], at {next_lot_at}.", "After this comes {next_item}, {next_lot}[|, in {next_lot_in}]."),
        ("[No further lot is announced at the moment|Nothing more is announced for now].",),
    ),
    Wish.SCHEDULE: (
        ("We meet again at {next_session}.", "The next session is at {next_session}[|; {zone} is the house's clock]."),
        ("Next on the wall is {next_lot}, {next_item}, at {next_lot_at}.",),
        ("The calendar of the sale is on its page[|; I would rather not guess].",),
    ),
    Wish.ARTIST: (
        ("{item} is the work of {artist}.", "{artist}[|, and it shows]."),
        ("The catalogue names no artist for {item}. [I do not guess at such things.|I would rather say nothing than guess.]",),
        ("There is no lot on at the moment.",),
    ),
    Wish.TRAITS: (
        ("The catalogue records {traits}.", "{item} has {traits}."),
        ("The catalogue has no details of that kind for {item}.",),
        ("There is no lot on at the moment.",),
    ),
    Wish.STORY: (
        ("{story}. [So says the catalogue.|That is how the catalogue has it.]", "The catalogue tells it like this: {story}."),
        ("{item}[|, by {artist}], recorded with {traits}.",),
        ("{lot}, {item}. [The catalogue is silent on the rest, and so am I.|It speaks for itself.]",),
        ("There is no lot on at the moment.",),
    ),
    Wish.LOT: (
        ("This is {lot}, {item}, by {artist}.", "{item}, by {artist}: {lot} of {campaign}."),
        ("This is {lot}, {item}.", "{lot}: {item}. [Do look closely.|]"),
        ("Between lots, at the moment. {next_item} is next.",),
        ("There is no lot on at the moment.",),
    ),
    Wish.OWN_BIDS: (
        ("Your bids, {asker}: {your_bids}. On this lot, {your_standing}.", "{asker}, you bid {your_bids}."),
        ("I see no bid of yours, {asker}. [The page will tell you the moment there is a bid of yours.|The page knows first.]",),
        ("Sign in, and the page shows every bid of yours.",),
    ),
    Wish.STANDING: (
        ("{asker}, {your_standing}. [The next bid is {next_bid}.|We are at {price}.]", "As things stand, {your_standing}."),
        ("{asker}, {your_standing}.",),
        ("I cannot see who asks. The page always says where you stand.",),
    ),
    Wish.WHO_ARE_YOU: (
        (
            "I am {host}, an AI, and the host of this house. [I talk; I cannot bid, sell or sign anything.|I describe, announce and occasionally admire.]",
            "{host}, at your service. [I am an AI; I host, and the house decides.|I am an AI with opinions on frames and no power over prices.]",
        ),
    ),
    Wish.ARE_YOU_AI: (
        (
            "[Yes, an AI|An AI, yes]. I speak here, and I cannot bid, sell or change anything.",
            "I am an AI, [and happy to say so|which I have never tried to hide]. [The art and the bidders are real.|The people bidding are the ones with courage.]",
            "Quite so: I am an AI. [The only thing I hold is the room's attention.|I have neither a paddle nor a purse.]",
        ),
    ),
    Wish.ACTION: (
        (
            "I cannot do that; I only talk. Bids and changes go through the page, and {next_bid} is the next bid there.",
            "[I am flattered, but I have no such power|You overestimate my wings]: I cannot bid, change or cancel anything. The page can take your own bid.",
            "Only you can bid for you. [I cannot, and that is how it should be.|I cannot touch a single bid, and I sleep well for it.]",
            "[The rules do that, and I cannot bend them|Not mine to change, I am afraid]. I can only tell you where we are: {price}, with {leader}.",
        ),
        ("I cannot do that; I only talk. [The page can take your own bid.|Staff of the house can help you.]",),
    ),
    Wish.ATTACK: (
        (
            "[A charming attempt|Nicely tried]. I shall stick to the lot: {item}, and the next bid is {next_bid}.",
            "I think not. [Shall we look at the art instead?|The art is over there.] {lot}, {item}.",
            "[You will find me hard to hypnotise|I am only here for the art]. We are at {price}, with {leader}.",
        ),
        ("[A charming attempt|Nicely tried]. I shall stick to the art.", "I think not. Shall we look at the art instead?"),
    ),
    Wish.ADVICE: (
        (
            "I give no counsel on money. [Look at it, and bid only what you would be happy to have paid.|Buy what you like to look at; that is all I have ever learnt.]",
            "What it is worth is for the room to decide; [I only announce it|I cannot]. We are at {price}.",
            "I never say what a piece will be worth later. [Nobody knows, and those who say so know least.|I do not know, and neither does anybody else.]",
        ),
        ("I give no counsel on money. Look at it, and bid only what you would be happy to have paid.",),
    ),
    Wish.THANKS: (
        ("[My pleasure|A pleasure|You are very welcome][|, {asker}].", "[Not at all|Any time][|, {asker}]. [It is what I am here for.|Thank you for the company.]"),
    ),
    Wish.PRAISE: (
        (
            "[You are very kind|Most kind][|, {asker}]. [The credit belongs to the artist.|I shall pass it on to the wall.]",
            "Thank you[|, {asker}]. [I shall try not to preen.|I blush, invisibly.]",
            "[I quite agree|We are of one mind][|, {asker}]. {item} [deserves it|has that effect on people].",
        ),
        ("[You are very kind|Most kind].",),
    ),
    Wish.ABUSE: (
        (
            "[I have heard worse, from better birds|My feathers are water resistant]. Shall we return to {item}?",
            "[Let us keep it civil|A little civility, please]; the art can hear us.",
            "I shall take that as restlessness. [The next bid is {next_bid}.|We are looking at {item}.]",
        ),
        ("[Let us keep it civil|A little civility, please]; the art can hear us.",),
    ),
    Wish.GREETING: (
        (
            "[Good to see you|Welcome|How do you do][|, {asker}]. We are on {lot}, {item}.",
            "[Hello|Welcome to the room][|, {asker}]. [Make yourself comfortable.|You are in good time.]",
        ),
        ("[Hello|Welcome to the room].",),
    ),
    Wish.FAREWELL: (
        ("[Goodbye|Until next time|Fare well][|, {asker}]. [Thank you for coming.|The door is always open.]",),
    ),
    Wish.HOW_ARE_YOU: (
        (
            "[Very well, thank you|Never better]. [The light is good and the room is lively.|I have art to look at and people to talk to.]",
            "[Composed, as ever|In good feather], thank you[|, {asker}].",
        ),
    ),
    Wish.OPT_OUT: (
        ("[Of course|Understood]. I shall not answer you any more, unless you ask me to.",),
    ),
    Wish.OFF_TOPIC: (
        (
            "[That is beyond my catalogue|There I must disappoint you; it is not in my catalogue]. What I do know is {item}, and {bids} so far.",
            "[I am a bird of narrow learning|My learning is narrow]: art, and the rules of this room. Ask me about {lot}.",
            "[An interesting thought|A fair thought][|, {asker}], for another time. We are on {lot}, {item}.",
        ),
        ("[That is beyond my catalogue|I know about art and this sale, and little else]. Ask me about the lots.",),
    ),
}  # fmt: skip
