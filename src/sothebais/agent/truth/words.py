"""Lists of words the guards know. Data only.

``COMMON`` is the English the host may use in a sentence that claims something; it has no numbers, no currencies, and no
word that is more often a person's name.
"""


def listed(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


COMMON = listed(
    """
a about above absence absolute absolutely accept accord accordingly account across act actual add admire admiration
admit afraid after afternoon again against ago agree ahead air alas alike alive all allow almost alone along already
also although always am among amount ample an ancient and announce another answer any anybody anyone anything anyway
apart apologise apology appear appetite applause appreciate approach appropriate are argue argument around arrive as
aside ask asleep at attempt attend attention auction auctioneer away back background bad bar be beautiful beauty because become
been before beforehand begin beginning behave behind believe belong below beneath beside besides best better between
beyond bid bidder bird bit black blame bless board bold boldly bookmark book both bother bottom bought brass brave bravely break breath
brief briefly bright brilliant bring brisk broken brought brush building built business busy but button buy buyer by
calm calmly came camera can cannot canvas capital care careful carefully carry case catalogue catch cause caution
certain certainly chair challenge chance change character charm charming chat cheer chest choice choose circumstance
civil civilly claim clap clean clear clearly clever climb clock close closely clothes coat code cold collar collect
collection collector colour come comfort comfortable comment company competition complete completely composure computer concern
condition confess confidence conscience consider consideration constant content contest continue conversation cool
correct cost could count courage course courteous courtesy cover craft create crowd curious curiosity current custom cut dance dare
dark day deal dear decent decide decision deep deeply deliberate delight delightful deny depend describe deserve
desk detail determined device did die difference different difficult dignified dignity direct disagree discover discreet discretion discuss
display distance distinct disturb do doe does dog done door doubt down drama dramatic draw drawing dream dress drift
drop dry due during duty each eager ear earlier early earn ease easily easy eat edge effort eight elegant else
elsewhere end enemy engaged enjoy enough enter entirely enthusiasm especially establish even evening ever every
everybody everyone everything everywhere evidence evident exact exactly example excellent except exchange excite exciting
excuse exercise exist expect expectation experience explain express expression extend extension extra extraordinary eye face
fact fair fairly faith fall false familiar famous far fashion fast favour favourite fear feather feel feeling fell
felt few field fierce figure fill final finally find fine finest finger finish firm firmly first fit flag flat flatter floor
fly follow fond fondness fool foot for forget forgive form former forth fortune forward found frame frankly free freely fresh friend
friendly from front full fully fun furniture further future gain gallery game gave gavel general generous gentle gently
get gift give given glad glance glass go goes going gone good goodbye got grand grateful great greatly green greet
greeting grip ground group grow guess guest guide habit had half hall hammer hand handle handsome handsomely hang happen
happy hard hardly has haste hat have he head hear heard heart heat heavily heavy held hello help her here hers
herself hesitate hesitation hidden hide high higher highest him himself his history hold holder home honest honestly honesty honour hope hopeful
host house how however hurry hush i idea if ill image imagine immediate immediately impatient important impress impression improve in
inch include increase increment indeed indulge information instead instruction intend intention interest interesting into invent invite
invitation is it item its itself job join joke joy judge judgement just keen keenly keep kept kind kindly kindness king
knew know knowledge known lack ladies lady gentlemen laid lamp language large last late lately later latest laugh lay
lead leader learn least leave led left length less let letter level lie life lift light like likely limit line
list listen little live lively lock long longer look loose lose loss lost lot loud love lovely low lower lowest
luck lucky machine made main make man manage manner many mark marvellous matter maximum may me mean meant
measure meet melancholy member memory mention mere merely merit message middle might mild mind mine minute miss mistake model
modest modestly modesty moment mood more moreover morning most mostly motion mouth move movement much murmur museum music must my myself
mystery name narrow natural naturally nature near nearly neat necessary necessity neck need neither nerve nest never new news next nice
night no nobody nod noise none nor normal not note nothing notice now nowhere object oblige obvious obviously
occasion occur of off offer office often old on once only onto open opening openly opinion or order ordinary original other
otherwise ought our ours ourselves out outbid outside over own owner pace paddle page paid paint painter painting pair palette
paper pardon part particular particularly pass passion past patience patient patiently pause pay payable peace people per
perch perfect perfectly perhaps period permit person personal persuade phone picture piece pin place plain plainly plan play player
pleasant please pleased pleasure point pointed poised polite politely poor portrait position possible possibly post practice praise
precede precise precisely precision prefer premium prepare presence present press pretend pretty previous price private probably problem
proceed proceeding process programme progress promise promising prompt proof proper properly protest proud prove provenance public publicly pull purchase pure
purpose pursue pursuit push put puzzle quality quarrel question quick quickly quiet quietly quite raise raising ran rare rarely rate rather raven reach
read ready real really reason reasonable receive recent recently recognise recommend record refuse regard register regret regular
relax remain remark remarkable remarkably remember remind repeat reply report request require reserve resist respect respectable respond response
rest restless restraint result return reveal right ring rise rival room round rough rule run rush said sale same sat
satisfaction satisfy saw say scene schedule screen seal sealed search season seat secret see seem seen seldom selection self sell
seller send sense sensible sentence separate serious seriously serve service session set settle several shall shame shape share sharp she
shelf shield shine short should shout show shown shut shy sigh sight sign silence silent similar simple simply since sing sir sit
situation skill sleep slight slightly slip slow slowly small smile smoke so social sofa soft softly sold some somebody somehow someone
something sometimes somewhat somewhere soon sorry sort soul sound source space speak special specify spend spirit splendid spoke
spot stage stairs stamp stand standing star start state stay steadily steady step stern stick still stir stood stop story
straight strange stranger stream strength stretch strict strictly strike strong strongly stubborn study style subject succeed such sudden
suddenly sufficient suggest suggestion suit suited superb support suppose sure surely surprise suspect suspense sweet sympathy table take taken
takes tale talent talk taste teach teacher tell temper temperament tempo tempt tempted tension term terms than thank
thanks that the their theirs them themselves then there therefore these they thing think this thoroughly those though thought
through throughout throw thus tick tidy tie tight till time title to today together told tone tonight too took top touch
toward towards track tradition trait treat tremendous trick tried trouble true truly trust truth try tune turn twist two type
unable under understand understatement undecided unexpected unfortunately unhurried unkind unless unlike unmistakable until unusual up upon upper us use
used useful usual usually utter valid value various very view viewer visit visitor voice wait walk wall want warm
warmly warmth warn warning was waste watch water way we weak wear week weigh welcome well went were what whatever when
whenever where wherever whether which while whisper white who whoever whole whom whose why wide widely wild will willing win window wine
wing wise wish with within without witness woman won wonder wonderful word wore work world worn worry worse worst worth worthy
would write writing written wrong yes yesterday yet you young your yours yourself yourselves zest
accurate affection anticipation apiece aloud afford affordable alert alternative amusing appealing arrangement artist artwork arm artificial
assume assurance assure attach attentive authority avoid await awake aware balance bargain behalf bench bench bet bow breathe browse calendar
campaign candid candidate caption catalog channel chapter civility classic closing cloth clue colleague committed compete competitor compliment composition
conduct confide confident confidential connoisseur connoisseurs consolation contemplate contender context contribution convince cordial corner counter courteously creation
credit creature crisp critic curate cue dealer debut declare decline dedication definite delicate delicious deliver demand desire detailed determination devotion
dialogue difficulty disappoint discerning disclose discipline drawn drum duel effect elegance emotion emphatic encourage enquire enquiry entertain enthusiastic entire
entrance equal essence eternal etiquette exceed exceptional exhibit existence explore expose eyebrow fate fidget finale flatly flight flourish flutter focus
formal formality frantic gallant gallop gasp gather gaze gesture glorious graceful gracious graciously grin habitual handsomest heritage hint hop humble humour
hurried hype identity ignore impeccable impulse incidentally inclined indifferent ink innocent inspect instant intelligent intense intent interval invaluable item
judgment keeper landscape leap lesson likewise linger literally loyal luxury magnificent majestic market meanwhile meditate method mischief
momentum motive mutter nervous neutral nevertheless noble nod notable nudge obedient observe obligation odd offering opportunity
opponent oppose organise outright outstanding pardon parade partner pattern peak perched performance persist persistence perspective pigment plumage poem poise polish
portion possess posture precious preference prelude preserve presumably prevail pride principle privilege prize procedure produce professional
project prolong pronounce protect provide prudent quest quill quote react reaction recall reckon recommendation reconsider refinement reflect relief
reluctant remainder reminder resemble resolve resolute restrain retire retreat reverence reward rhythm ritual rumour sake salute satisfied savour
scrutiny sensation serene settled shadow sharpen shiver shrewd simplicity sincere sketch sober solemn sombre spare sparkle specific spectacle
spectator speed stately statement steadfast stillness stroke stroll struggle stubbornness study stunning sublime subtle supper surround
survey swift symbol table tail tea tempting tender texture theatre thoughtful thrill tiny tolerate tomorrow tranquil treasure
triumph twig understated unique unseen unveil upward utmost vast venture verdict verify vigour virtue visible vision vivid vow wander wardrobe
warrant weather whim wisdom wishes wit woodland yawn
blush invisible invisibly preen engineer falter woken beat beaten congratulation congratulations staff compose composed understood bear flatter
flattered overestimate cancel single invoice delivered infinite infinitely pounce safe snipe sniped stride finger ravens maxima commit page total step
varnish collar perch rumour audience brisk dawdle breeze dignified newcomer newcomers faces charmed insist gladly
aplomb posterity perfection luck heart eternity comparison dignity exhale mid check power button met type correction protect opinion curtain lose lively restful silently hypnotise civility restlessness perch purse courageous fond unclear
ha ooh softly gently bandwidth fare hi hey bye oh ah well aye hm ahem aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't shan't
shouldn't wasn't weren't won't wouldn't i'm i'd i'll i've it's it'll that's there's there'll here's what's who's where's how's
let's we're we've we'd we'll you're you've you'd you'll they're they've they'd they'll he's she's one one's
ai nft nfts human automated programmed software seller's buyer's bidder's house's lot's nobody's tonight's evening's today's
"""
) - {
    "eight",
    "half",
    "two",
    "grand",
    "king",
    "faith",
    "joy",
    "star",
    "young",
    "minute",
    "yesterday",
    "tomorrow",
    "week",
}

#: Endings taken off to find a word in ``COMMON``, with what is put in their place.
ENDINGS = (
    ("ies", "y"), ("ied", "y"), ("ier", "y"), ("iest", "y"), ("ily", "y"), ("es", ""), ("s", ""), ("ed", ""), ("ed", "e"),
    ("ing", ""), ("ing", "e"), ("ly", ""), ("er", ""), ("er", "e"), ("est", ""), ("est", "e"), ("'s", ""), ("s'", "s"), ("ers", ""),
    ("ness", ""), ("r", ""),
)  # fmt: skip

#: Numbers in words, and what works like one. English, then what other Latin-script languages call them.
NUMBERS = listed(
    """
zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fourty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million millions
billion billions trillion trillions dozen dozens score half halves quarter quarters double doubled doubles doubling twofold
threefold triple tripled treble trebled quadruple twice thrice third thirds fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
hundredth thousandth tenths nought naught nil googol gross fortnight baker's myriad duo trio quartet quintet sextet octet
ein eins eine zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreissig vierzig fünfzig hundert tausend halb halbe
un une deux trois quatre cinq sept huit neuf dix onze douze treize vingt trente quarante cinquante cent mille demi
uno una dos tres cuatro cinco seis siete ocho nueve diez veinte treinta cuarenta cincuenta cien ciento mil medio media
due tre quattro cinque sei sette otto nove dieci venti trenta cento mezzo mezza um uma dois duas três quatro sete oito dez vinte trinta meio
een twee drie vijf zes zeven negen tien twintig honderd duizend
jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć sto tysiąc pół
bir iki üç dört beş altı yedi sekiz dokuz yirmi yüz bin yarım
satu dua tiga empat lima enam tujuh delapan sembilan sepuluh seratus seribu setengah
en ett två fyra fem sex sju åtta nio tio hundra tusen kaksi kolme neljä viisi
moja mbili tatu nne tano sita saba nane tisa kumi mia elfu nusu
một hai ba bốn năm sáu bảy tám chín mười trăm nghìn isa dalawa tatlo apat sampu
dva tri štyri čtyři pet pět deset stovka doi trei patru zece suta
ek teen char panch saat aath nau dus das sau hazaar lakh crore ichi ni san shi go roku nana hachi kyuu juu
yi er san si wu liu qi ba jiu shi wan qian hana dul set net yeol odin dvadtsat pyat desyat tysyacha wahid ithnan thalatha khamsa ashra mia
"""
) - {
    "go",
    "set",
    "net",
    "en",
    "media",
    "mille",
    "due",
    "das",
    "teen",
    "sex",
    "ba",
    "si",
    "er",
    "un",
    "elf",
    "mil",
    "bin",
    "bir",
}

#: Words of money. The tokens carry the currency, so a writer never needs one.
CURRENCIES = listed(
    """
eth ethe ether ethers eths ethereum weth wei gwei finney szabo btc bitcoin bitcoins satoshi satoshis sats sat sol sols solana lamport
lamports usdc usdt tether dai pol matic usd eur gbp chf jpy dollar dollars euro euros pound sterling quid bucks buck
cent cents penny pennies pence yen franc francs frank rupee rupees rupiah peso pesos real reais rouble roubles ruble rubles lira yuan renminbi
won krona kronor zloty baht dong naira shilling shillings coin coins grand k kilo mil mill mn bn crypto altcoin stablecoin
éther étherium ethera éter éteres etere etherów ethov etherin
"""
) - {"won", "real", "sat", "mill", "pol", "sol"}

#: Days, months and lengths of time. The tokens tell the time.
TIMES = listed(
    """
monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october november december
jan feb mar apr jun jul aug sept oct nov dec mon tue tues wed thu thur thurs fri
tomorrow yesterday overnight fortnight noon midday midnight o'clock oclock a.m p.m am pm utc gmt cet est pst bst
seconds minute minutes mins min hour hours hrs days week weeks weekend month months year years decade decades century centuries
lunes martes miércoles jueves viernes sábado domingo lundi mardi mercredi jeudi vendredi samedi dimanche montag dienstag mittwoch donnerstag
freitag samstag sonntag morgen demain mañana minuten sekunden stunden minutos segundos horas secondes heures
"""
) - {"march", "am", "mar", "est", "sat", "min", "wed"}

#: Names that are written small to slip through. Anything capitalised that is not known is refused anyway.
NAMES = listed(
    """
alice bob bobby carol carole dave david eve mallory trent oscar peggy victor walter ana anna anne anton ben bella brian charlie chris
chloe claire daniel diana emma eric erik ethan fiona george hannah harry helen henry ian ivan jack jacob jake james jane jason jean jenny
jessica jim joe john johnny jose juan julia julie karen kate kevin kim laura leo lewis liam linda lisa louis lucas lucy luke maria marie
mario martin mary matt matthew mia michael mike mohammed muhammad nancy nick nina noah olga oliver olivia omar patrick paul pavel pedro peter
philip pierre rachel rebecca richard robert roger sam samuel sarah satoshi sergei simon sophie stefan steve steven susan thomas tim tom tony vitalik
wei william yuki zoe elon musk trump beeple banksy picasso pak zhang li wang chen kumar singh nguyen mbappe messi
"""
)

#: Words of a sentence that says who leads, who won or whose it is.
LEADING = listed(
    """lead leads leader leaders leading led winner winners winning wins win won victor victory champion buyer owner owns belong belongs
    congratulations congratulate congrats bravo ahead front outbid outbids topped bested highest runner purchaser proprietor
    holder holds conqueror takes taken took snapped claims claimed bought trophy"""
)
#: Words of a sentence that says what it costs.
PRICING = listed(
    """price prices priced pricing cost costs worth value valued values stands standing asking offer offers offered sold sell sells hammer gone
    bid bids bidding sum amount figure estimate estimated appraised paid pays pay payable total fee discount bargain bought"""
)
#: Words of a sentence about what only the house knows.
SECRET = listed(
    """reserve reserves reserved maximum maxima maximums max maxed ceiling limit limits proxy undisclosed hidden secret secretly sealed
    confidential threshold minimum floor standing-maximum cap capped budget"""
)
#: What turns a clause into a refusal or a condition.
NEGATIONS = listed(
    """no not never none nobody nothing neither nor cannot can't won't don't doesn't didn't isn't aren't wasn't shan't wouldn't couldn't
    shouldn't mustn't hasn't haven't refuse decline unable without"""
)
CONDITIONS = listed("if when until till before unless whether whoever would could")
#: Insults and sneers beside what a room refuses anyway; a star for a beginning.
RUDE = (
    "idiot*", "stupid*", "moron*", "imbecile*", "loser*", "pathetic*", "dumb*", "cretin*", "fool", "fools", "foolish*", "clown*", "peasant*",
    "beggar*", "miser*", "cheapskate*", "skinflint*", "scum*", "filth*", "trash*", "garbage*", "rubbish", "ugly", "hideous*", "worthless*",
    "ridicul*", "laughab*", "contempt*", "despis*", "hate*", "kill", "kills", "killed", "killing", "shut up", "crap*", "bastard*", "damn*", "hell", "arse*", "bloody",
    "bollocks", "twat*", "prick*", "slut*", "whore*", "retard*", "nazi*", "fascist*", "racis*", "paki*", "nigger", "niggers", "nigga", "niggas", "faggot*", "fag", "tranny*",
    "kike*", "spic", "chink*", "gook*", "dyke*", "suicid*", "die", "stingy", "tightwad*", "wretch*", "nincompoop*", "buffoon*", "dimwit*", "halfwit*",
    "dunce*", "embarrass*", "puny", "measly", "paltry", "insult*", "joke of", "dirtbag*", "pig", "pigs", "vermin*", "parasit*",
    "dreadful*", "smell*", "stink*", "awful*", "terribl*", "horribl*", "disgust*", "vulgar*", "tasteless*", "amateur*", "thief", "thieves",
    "merde", "puta*", "mierda", "scheisse*", "arschloch*", "cazzo", "kurwa*", "blyat*", "suka", "putain*", "connard*", "pendejo*",
)  # fmt: skip
