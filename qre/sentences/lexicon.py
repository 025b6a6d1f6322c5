"""Word lists behind the built-in sentences: plain data, all written for this project.

Notation, the same in every table:

* ``"the sauce|the gravy"``  one concept and its interchangeable surface forms; the first form names the concept.
* ``"the carrots+"``         a trailing ``+`` marks a plural form.
* ``"take/took/taken~out"``  base, past, participle (left out where equal to the past); after ``~`` what follows the
object. * ``"look/looked after"``  a one-word base with longer later forms: the added words belong to every form. *
``"say/said yes to!"``   ``!`` marks a verb that has no natural passive. * ``"has to/have to/have to"``  third person
singular, plural, first person singular.

A scene is ``(key, flags, agents, verbs, objects, places, causes)``: every listed agent may do every listed verb to
every listed object in every listed place for every listed cause, so free choice inside a scene makes sense.
Flags: ``+``/``-`` welcome or unwelcome event, ``p`` done on purpose (may be planned, refused, forgotten), ``h`` may
be a habit, ``x`` objects are alive (no "what she saw was ..."), and the manners that fit (``c q a o``, see MANNERS).
Agents: indices into the topic's people, ``N`` for personal names, ``I`` for the first person. An eighth field lists
agents of the scene's own (a storm, a wolf).
"""

from __future__ import annotations

NAMES = (
    "Maria Tom Priya Daniel Aisha Oliver Chen Fatima Lucas Ingrid Kwame Sofia Hassan Elena Marcus Yuki Nadia Peter "
    "Amara "
    "Viktor Leila Simon Rosa Dmitri Grace Omar Hannah Felix Mei Patrick Zainab Hugo Clara Ravi Judith Mateo Anna "
    "Samuel Tara "
    "Noah Beatrice Ivan Salma George Lucia Kofi Helen Arjun"
).split()

KIN = [
    "my sister",
    "my uncle",
    "our neighbour|the man next door",
    "a friend of mine|one of my friends",
    "my boss|my manager",
    "my cousin",
    "a colleague of mine|someone I work with",
    "my flatmate|the woman I share a flat with",
    "my grandfather",
    "my daughter",
]

PAST_TIMES = [
    "yesterday",
    "last week|a week ago",
    "this morning|earlier today",
    "two years ago|a couple of years ago",
    "on Monday",
    "on Saturday",
    "last Thursday",
    "in early March|at the start of March",
    "at dawn|at sunrise|at first light",
    "late in the evening|late that evening",
    "before lunch|late in the morning",
    "after lunch|in the early afternoon",
    "last month|a month ago",
    "in the spring|in springtime",
    "in late October|towards the end of October",
    "the day before yesterday|two days ago",
    "on the first day of the holidays|as soon as the holidays began",
    "at around midnight|in the middle of the night",
    "on Sunday afternoon",
    "just before Christmas|in the days before Christmas",
]
# No match is played and no court sits in the small hours.
ODD_HOURS = ("at dawn|at sunrise|at first light", "at around midnight|in the middle of the night")
DAYTIME_TOPICS = ("football", "law", "banking", "education")

FUTURE_TIMES = [
    "tomorrow",
    "next week|in a week's time",
    "next month|in a month or so",
    "before the end of the day|later today",
    "on Friday",
    "in the summer|once summer comes",
    "next year|a year from now",
    "on Tuesday morning",
    "this weekend|on the weekend",
    "in September",
    "the day after tomorrow|in two days",
    "by the end of the week|before the week is out",
]
HABIT_TIMES = [
    "every morning|each morning",
    "once a week|every week",
    "twice a year|every six months",
    "every Friday|each Friday",
    "most evenings|on most evenings",
    "every spring|each spring",
    "from time to time|now and then",
    "almost every day|nearly every day",
]

# Manner letter in a scene's flags -> forms, placed after the object.
MANNERS = {
    "c": "carefully|with great care|taking every precaution",
    "q": "quickly|in a hurry|within minutes",
    "a": "by accident|by mistake|without meaning to",
    "o": "alone|without any help|single-handedly",
}

# Mode -> (which times go with it, verb phrases that take the base form).
MODES = {
    "future": ("future", "will/will|is going to/are going to/am going to"),
    "must": ("future", "must/must|has to/have to|needs to/need to"),
    "want": ("future", "wants to/want to|would like to/would like to|hopes to/hope to"),
    "plan": ("future", "plans to/plan to|intends to/intend to|is planning to/are planning to/am planning to"),
    "refuse": ("past", "refused to/refused to|declined to/declined to|said no when asked to/said no when asked to"),
    "forget": ("past", "forgot to/forgot to|did not remember to/did not remember to"),
    "try": ("past", "tried to/tried to|attempted to/attempted to|made an effort to/made an effort to"),
    "promise": ("past", "promised to/promised to|agreed to/agreed to"),
}

# What the speaker thinks of an event. The sign says which scenes an attitude fits; "" fits all.
ATTITUDES = [
    ("+", "fortunately,|luckily,|to our relief,|it was a relief that|we were all glad that"),
    ("-", "unfortunately,|sadly,|regrettably,|it was a shame that|it was a pity that"),
    ("", "to everyone's surprise,|surprisingly,|it came as a surprise that|nobody had expected it, but"),
    ("", "apparently,|it seems that|I heard that|people are saying that"),
]

# Said of a single person who acts, and of what came of it (sign as for ATTITUDES).
ASIDES = [
    "who was new to the job|who had started only recently",
    "who had hardly slept|who had been awake most of the night",
    "who is usually so reliable|on whom one can normally count",
    "who had never done so before|for whom it was the first time",
    "who had a bad cold|who could not stop sneezing",
    "who prefers to be left in peace|who does not like being disturbed",
    "who was in a good mood|who was feeling cheerful",
    "who lives across the street|whose home is just over the road",
    "who had just turned forty|whose fortieth birthday had just passed",
    "who speaks four languages|who is fluent in four languages",
]
# Agents of several people, in the singular: they take no aside.
BODIES = ("the observatory team|the team at the observatory", "the coastguard|the coastal rescue service", "the jury")
EFFECTS = [
    ("+", "which pleased everyone|to general delight|and everyone was happy about it"),
    ("-", "which annoyed everyone|to general dismay|and nobody was happy about it"),
    ("p", "which took longer than planned|and it was not done as soon as expected"),
    ("", "and word of it soon got round|which soon became known to everyone"),
    ("", "which was the talk of the day|and people spoke of nothing else all day"),
    ("p", "although nobody had asked for it|without any request from anyone"),
]

REPORTERS = [
    "a colleague|a co-worker|someone at work",
    "the local paper|the town newspaper",
    "my neighbour|the woman next door",
    "an old friend|a friend I have known for years",
    "my brother",
    "the evening news|the news bulletin",
    "my aunt",
]
REPORT_FRAMES = [
    "{R} said that {S}",
    "{R} reported that {S}",
    "according to {R}, {S}",
    "{R} told us that {S}",
    "I learned from {R} that {S}",
]

# Two people and a matter. {A} did it to {B}; {M} is the matter; {a}/{b} are the object case.
SOCIAL = {
    "call": [
        "{A} called {b} about {M}",
        "{A} rang {b} to discuss {M}",
        "{B} got a phone call from {a} about {M}",
        "{B} was telephoned by {a}, who wanted to talk about {M}",
    ],
    "not-call": [
        "{A} did not call {b} about {M}",
        "{A} never rang {b} to discuss {M}",
        "{B} got no phone call from {a} about {M}",
    ],
    "warn": [
        "{A} warned {b} about {M}",
        "{B} received a warning from {a} about {M}",
        "{A} told {b} to be careful with {M}",
        "{B} was cautioned by {a} about {M}",
    ],
    "thank": [
        "{A} thanked {b} for helping with {M}",
        "{A} was grateful to {b} for the help with {M}",
        "{B} was thanked by {a} for assistance with {M}",
    ],
    "not-thank": [
        "{A} did not thank {b} for helping with {M}",
        "{A} never showed {b} any gratitude for the help with {M}",
        "{B} got no thanks from {a} for assistance with {M}",
    ],
    "blame": [
        "{A} blamed {b} for the problems with {M}",
        "{A} said that the trouble with {M} was the fault of {b}",
        "in the eyes of {a}, {B} was responsible for the problems with {M}",
        "{B} was held responsible by {a} for the trouble with {M}",
    ],
    "ask": [
        "{A} asked {b} for advice on {M}",
        "{A} turned to {b} for guidance on {M}",
        "{B} was asked by {a} for some advice on {M}",
        "{A} wanted to hear what {B} would suggest about {M}",
    ],
    "write": [
        "{A} sent {b} a long email about {M}",
        "{B} received a long message from {a} concerning {M}",
        "{A} wrote to {b} at length about {M}",
    ],
    "complain": [
        "{A} complained to {b} about {M}",
        "{B} had to listen to {a} grumbling about {M}",
        "{A} told {b} that there was a lot wrong with {M}",
    ],
    "praise": [
        "{A} praised {b} for dealing so well with {M}",
        "{B} earned a compliment from {a} for the handling of {M}",
        "{A} told {b} that nobody could have coped better with {M}",
    ],
    "explain": [
        "{A} explained to {b} what was going on with {M}",
        "{A} helped {b} to make sense of {M}",
        "{B} found out from {a} what the matter was with {M}",
    ],
    "lie": ["{A} lied to {b} about {M}", "{A} did not tell {b} the truth about {M}", "{B} was misled by {a} about {M}"],
    "convince": [
        "{A} changed the mind of {b} about {M}",
        "{A} persuaded {b} to think again about {M}",
        "{B} was talked by {a} into reconsidering {M}",
    ],
}

# Someone and a subject. The first entry says which times may be added ("" for none).
INTEREST = {
    "read": (
        "past",
        ["{A} read a book about {S}", "the book {A} finished was about {S}", "{A} worked through a volume on {S}"],
    ),
    "talk": (
        "past",
        ["{A} gave a talk on {S}", "{A} spoke to an audience about {S}", "a lecture on {S} was given by {A}"],
    ),
    "film": (
        "past",
        [
            "{A} watched a documentary about {S}",
            "{A} saw a film on {S}",
            "the programme {A} saw on television dealt with {S}",
        ],
    ),
    "ask": (
        "past",
        [
            "{A} asked me a question about {S}",
            "{A} wanted me to explain something about {S}",
            "I was questioned by {A} about {S}",
        ],
    ),
    "argue": (
        "past",
        ["{A} had an argument about {S}", "{A} got into a dispute over {S}", "{A} quarrelled with someone about {S}"],
    ),
    "curious": (
        "",
        ["{A} wants to learn more about {S}", "{A} is curious about {S}", "{A} would love to know more about {S}"],
    ),
    "expert": (
        "",
        [
            "{A} knows a great deal about {S}",
            "{A} is a real expert on {S}",
            "few people understand {S} as well as {A}",
            "there is little that {A} does not know about {S}",
        ],
    ),
    "ignorant": (
        "",
        [
            "{A} knows almost nothing about {S}",
            "{A} has hardly any knowledge of {S}",
            "{A} is completely ignorant about {S}",
        ],
    ),
    "bored": (
        "",
        [
            "{A} is tired of hearing about {S}",
            "{A} has heard quite enough about {S}",
            "{A} finds all the talk about {S} dull",
        ],
    ),
    "write": (
        "",
        [
            "{A} is writing an article about {S}",
            "{A} is working on a piece about {S}",
            "the article {A} is drafting deals with {S}",
        ],
    ),
    "worry": ("", ["{A} worries about {S}", "{A} is uneasy about {S}", "the thought of {S} troubles {A}"]),
    "love": (
        "",
        [
            "{A} loves talking about {S}",
            "nothing pleases {A} more than a chat about {S}",
            "{A} is happiest in a conversation about {S}",
        ],
    ),
}

# Adjective concepts; a topic's opinion targets list which of them fit.
ADJECTIVES = {
    "good": "excellent|superb|first-rate|outstanding",
    "bad": "disappointing|poor|well below par",
    "dear": "too expensive|overpriced|far too costly",
    "cheap": "cheap|inexpensive|very affordable",
    "hard": "difficult|hard to get right|tricky",
    "easy": "easy|simple|straightforward",
    "lovely": "beautiful|lovely|gorgeous",
    "ugly": "ugly|hideous|unattractive",
    "dull": "boring|dull|tedious",
    "gripping": "exciting|thrilling|gripping",
    "risky": "dangerous|risky|unsafe",
    "safe": "safe|free of danger|perfectly harmless",
    "unfair": "unfair|unjust",
    "fair": "fair|just|even-handed",
    "slow": "slow|sluggish",
    "fast": "fast|quick|speedy",
    "confusing": "confusing|hard to follow|bewildering",
    "clear": "clear|easy to follow|understandable",
    "useful": "useful|helpful|of great use",
    "useless": "useless|of no use|pointless",
}
OPINION_ME = [
    "I think that {O} {was} {J}",
    "in my opinion, {O} {was} {J}",
    "if you ask me, {O} {was} {J}",
    "to my mind, {O} {was} {J}",
    "I found {O} {J}",
    "{O} struck me as {J}",
]
OPINION_ME_NOT = [
    "I do not think that {O} {was} {J}",
    "in my opinion, {O} {was} not {J} at all",
    "I did not find {O} {J}",
    "I would not say that {O} {was} {J}",
]
OPINION = [
    "{A} thought that {O} {was} {J}",
    "in the opinion of {A}, {O} {was} {J}",
    "according to {A}, {O} {was} {J}",
    "{A} found {O} {J}",
    "{O} struck {A} as {J}",
]
OPINION_NOT = [
    "{A} did not think that {O} {was} {J}",
    "according to {A}, {O} {was} not {J} at all",
    "{A} did not find {O} {J}",
    "{A} would not say that {O} {was} {J}",
]
COMPARE = [
    "{A} preferred {O} to {P}",
    "{A} liked {O} better than {P}",
    "{P} did not appeal to {A} as much as {O}",
    "{A} was less fond of {P} than of {O}",
]
COMPARE_ME = [
    "I preferred {O} to {P}",
    "I liked {O} better than {P}",
    "{P} did not appeal to me as much as {O}",
    "I was less fond of {P} than of {O}",
]

# Advice and facts may be passed on from one person to another; "tip" introduces an imperative, "that" a statement.
TELL_ADVICE = [
    "{A} gave {B} one piece of advice: {S}",
    "{A} had a tip for {B}: {S}",
    "{B} was given a rule by {A}: {S}",
]
TELL_FACT = ["{A} explained to {B} that {S}", "{A} told {B} that {S}", "{B} learned from {A} that {S}"]

QUANTIFIERS = ["exactly|precisely", "about|roughly|around", "more than|over|upwards of", "fewer than|under|not quite"]
SMALL_NUMBERS = [
    "3|three",
    "4|four",
    "5|five",
    "6|six|half a dozen",
    "7|seven",
    "8|eight",
    "9|nine",
    "11|eleven",
    "12|twelve|a dozen",
    "14|fourteen",
    "15|fifteen",
    "18|eighteen",
]
LARGE_NUMBERS = [
    "24|twenty-four|two dozen",
    "30|thirty",
    "40|forty",
    "50|fifty",
    "70|seventy",
    "100|a hundred|one hundred",
    "150|a hundred and fifty",
    "200|two hundred",
    "300|three hundred",
    "500|five hundred",
    "1,000|a thousand|one thousand",
    "2,000|two thousand",
]

PAIR_FRAMES = [
    "after {1p}, {2}",
    "{1}, and afterwards {2}",
    "{2} after {1p}",
    "before {2}, {1p}",
    "first {1}, and then {2}",
    "{2}, but only once {1p}",
]

TOPICS: dict[str, dict[str, list]] = {}

TOPICS["cooking"] = {
    "people": [
        "the chef|the head cook",
        "the waiter|the server",
        "the baker",
        "the kitchen assistant|the young helper in the kitchen",
        "the guests+|the diners+",
    ],
    "scenes": [
        (
            "burn",
            "-a",
            "03NI",
            "burn/burned|scorch/scorched|blacken/blackened",
            ["the sauce|the gravy", "the toast", "the onions+", "the pancakes+|the crêpes+"],
            ["in the kitchen", "at the restaurant|at the bistro"],
            [
                "the stove was far too hot|the flame had been turned up too high",
                "the phone kept ringing|someone kept calling",
                "nobody was watching the pan|the pan had been left unattended",
            ],
        ),
        (
            "prepare",
            "+phcqo",
            "023NI",
            "prepare/prepared|make/made|put together/put together",
            [
                "a vegetable soup|a broth full of vegetables",
                "a fish stew",
                "the dessert|the pudding",
                "a lentil curry|a curry made with lentils",
                "the salad",
            ],
            ["in the kitchen", "at home|in the house", "at the restaurant|at the bistro"],
            [
                "a large party was expected|many guests were coming",
                "everyone was hungry|they were all starving",
                "it was a birthday|there was a birthday to celebrate",
            ],
        ),
        (
            "bake",
            "+phcq",
            "2NI",
            "bake/baked",
            [
                "a loaf of rye bread|a rye loaf",
                "an apple pie",
                "a chocolate cake",
                "two trays of biscuits+|two batches of cookies+",
            ],
            ["in the old stone oven", "at the bakery|at the bread shop"],
            [
                "the shelves were empty|there was nothing left to sell",
                "the children had asked for something sweet|the kids wanted a treat",
            ],
        ),
        (
            "serve",
            "phq",
            "1",
            "serve/served|bring/brought~to the table|carry/carried~to the table",
            ["the first course|the starter", "the grilled fish", "the wine", "a bowl of olives"],
            ["on the terrace|out on the patio", "in the dining room"],
            [
                "the guests had been waiting for an hour|the table had been kept waiting far too long",
                "the order was finally ready|the dish was done at last",
            ],
        ),
        (
            "buy",
            "phq",
            "03NI",
            "buy/bought|purchase/purchased|pick up/picked up",
            ["fresh herbs+", "a bag of flour|a sack of flour", "three lobsters+", "some ripe tomatoes+"],
            ["at the market|from a market stall"],
            [
                "the pantry was empty|there was nothing left in the larder",
                "the recipe called for the best ingredients|only top ingredients would do",
            ],
        ),
    ],
    "matters": [
        "the menu|the list of dishes",
        "the birthday cake",
        "the order for table nine|table nine's order",
        "the broken oven|the oven that did not work",
        "the missing spices|the spices that had disappeared",
    ],
    "subjects": [
        "sourdough|bread made with wild yeast",
        "French sauces",
        "knife skills|cutting techniques",
        "fermented cabbage|sauerkraut",
        "the perfect omelette",
        "Thai street food",
        "pickled cucumbers|gherkins",
        "slow-cooked beef",
        "gluten-free pastry",
        "the taste of saffron",
        "vegan cheese",
        "how to poach eggs",
        "deep-fried aubergine",
        "cast-iron pans",
        "homemade noodles",
        "caramel",
        "Sicilian recipes",
        "dumplings",
        "roast chicken",
        "the art of the soufflé",
    ],
    "opinions": [
        ("the soup|the broth", "good bad dear"),
        ("the menu", "dull dear confusing good"),
        ("the mushrooms+", "risky safe good"),
        ("the recipe", "hard easy good clear confusing"),
        ("the house wine", "bad good dear cheap"),
        ("the service at dinner", "slow fast bad good"),
    ],
    "rivals": ["the onion tart", "the grilled trout", "the mushroom risotto", "the lemon sorbet", "the goulash"],
    "advice": [
        (
            "taste",
            [
                "always taste {x} before you serve it",
                "sample {x} before it goes to the table",
                "never send out {x} without trying a spoonful first",
            ],
            ["the sauce|the gravy", "the soup|the broth", "the stew"],
        ),
        (
            "rest",
            [
                "let {x} rest for ten minutes before you cut it",
                "wait ten minutes before slicing {x}",
                "do not carve {x} straight away but leave it to stand for ten minutes",
            ],
            ["the roast", "the turkey", "the pie"],
        ),
        (
            "salt",
            ["add a pinch of salt to {x}", "do not forget to season {x} lightly", "put just a little salt in {x}"],
            ["the dough", "the rice", "the pasta water|the water for the pasta"],
        ),
    ],
    "facts": [
        (
            "yeast",
            [
                "{x} rises because yeast gives off gas",
                "gas from the yeast is what makes {x} rise",
                "without the gas that yeast produces, {x} would stay flat",
            ],
            ["bread", "pizza dough", "a bun"],
        ),
        (
            "sharp",
            [
                "a sharp knife is safer than a blunt one for {x}",
                "for {x}, a dull blade is more dangerous than a keen one",
            ],
            ["chopping onions|cutting up onions", "peeling squash", "filleting fish"],
        ),
        (
            "cold",
            ["{x} keeps longer in the fridge", "cold storage stops {x} from going bad so soon"],
            ["fresh milk", "butter", "cooked rice"],
        ),
    ],
    "counts": [
        (
            [
                "the kitchen served {n} meals {t}",
                "the cooks sent out {n} plates of food {t}",
                "{n} meals left the kitchen {t}",
            ],
            "L",
        ),
        (
            [
                "the recipe needs {n} eggs for a family meal",
                "to make the dish for a family, you have to crack {n} eggs",
            ],
            "S",
        ),
    ],
}

TOPICS["medicine"] = {
    "people": [
        "the surgeon|the doctor in the operating room",
        "the nurse",
        "the family doctor|the GP",
        "the patient",
        "the pharmacist|the chemist",
    ],
    "scenes": [
        (
            "examine",
            "phcq",
            "02",
            "examine/examined|check/checked|take/took/taken a closer look at!",
            [
                "the swollen knee|the puffy knee",
                "the wound|the injury",
                "the X-ray|the X-ray image",
                "the child's throat",
            ],
            ["at the clinic|at the medical centre", "in the emergency room|in casualty"],
            [
                "the pain had become worse|it hurt more and more",
                "the parents were worried|the mother and father were anxious",
                "there were signs of an infection|it looked infected",
            ],
        ),
        (
            "prescribe",
            "ph",
            "02",
            "prescribe/prescribed|order/ordered",
            [
                "a course of antibiotics|some antibiotics+",
                "stronger painkillers+|a stronger pain reliever",
                "an inhaler",
                "two weeks of rest|a fortnight of rest",
            ],
            ["at the clinic|at the medical centre"],
            [
                "the fever would not go down|the temperature stayed high",
                "the cough had lasted a month|the coughing had gone on for weeks",
            ],
        ),
        (
            "operate",
            "+c",
            "0",
            "repair/repaired|fix/fixed|mend/mended",
            [
                "the broken hip|the fractured hip",
                "a damaged heart valve|a faulty valve in the heart",
                "the torn ligament",
            ],
            [
                "at the university hospital|at the teaching hospital",
                "in a three-hour operation|in an operation that took three hours",
            ],
            ["there was no time to lose|it could not wait", "other treatments had failed|nothing else had worked"],
        ),
        (
            "swallow",
            "-a",
            "3NI",
            "take/took/taken|swallow/swallowed",
            [
                "the wrong pills+|the wrong tablets+",
                "a double dose|twice the usual dose",
                "the cough syrup",
                "a sleeping tablet|a pill for sleeping",
            ],
            ["at home|in the house", "on the ward|in the hospital bed"],
            [
                "the label was hard to read|the print on the bottle was tiny",
                "the headache was unbearable|the headache would not stop",
            ],
        ),
        (
            "change",
            "phcq",
            "1",
            "change/changed|replace/replaced|renew/renewed",
            ["the bandage|the dressing", "the drip|the intravenous drip", "the plaster cast"],
            ["on the ward", "at the bedside|next to the bed"],
            ["it had come loose|it no longer held", "the doctor had asked for it|those were the doctor's orders"],
        ),
    ],
    "matters": [
        "the test results|the results of the tests",
        "the allergy",
        "the appointment on the ward|the ward visit",
        "the new vaccine",
        "the side effects of the drug|the unwanted effects of the drug",
    ],
    "subjects": [
        "diabetes",
        "migraines|severe headaches",
        "heart transplants",
        "the flu virus|influenza",
        "blood pressure|hypertension",
        "asthma",
        "knee replacements|artificial knees",
        "hay fever|pollen allergies",
        "skin cancer",
        "sleep disorders|insomnia",
        "stem cells",
        "malaria",
        "the history of anaesthesia",
        "eating disorders",
        "measles",
        "hearing loss|deafness",
        "first aid",
        "back pain|an aching spine",
        "dementia",
        "rare blood types",
    ],
    "opinions": [
        ("the treatment|the therapy", "good bad dear risky safe"),
        ("the operation", "risky hard easy"),
        ("the hospital food", "bad good"),
        ("the waiting list", "slow unfair"),
        ("the leaflet about the drug", "confusing clear useful useless"),
        ("the physiotherapy sessions+", "dull useful useless good"),
    ],
    "rivals": [
        "the tablets+|the pills+",
        "the ointment|the cream for the skin",
        "the injections+|the jabs+",
        "the private clinic",
        "the day surgery",
    ],
    "advice": [
        (
            "finish",
            [
                "take all of {x} even if you feel better",
                "do not stop {x} early just because you feel well again",
                "finish {x} whether or not the symptoms are gone",
            ],
            ["the antibiotics|the antibiotic tablets", "the medicine", "the prescribed pills|the pills you were given"],
        ),
        (
            "wash",
            [
                "wash your hands before touching {x}",
                "never handle {x} with dirty hands",
                "make sure that your hands are clean when you treat {x}",
            ],
            ["the wound|the cut", "a burn", "the stitches"],
        ),
        (
            "see",
            [
                "see a doctor if {x} does not go away",
                "have {x} looked at by a physician when it lasts",
                "get medical help when {x} persists",
            ],
            ["the rash", "the fever|the high temperature", "the dizziness|the giddy feeling"],
        ),
    ],
    "facts": [
        (
            "virus",
            [
                "antibiotics do not help against {x}",
                "{x} cannot be cured with antibiotics",
                "against {x}, antibiotics are useless",
            ],
            ["a cold|a common cold", "the flu|influenza", "chickenpox"],
        ),
        (
            "exercise",
            [
                "regular exercise lowers the risk of {x}",
                "people who keep active are less likely to suffer from {x}",
                "{x} is rarer among those who move a lot",
            ],
            ["heart disease", "a stroke", "diabetes"],
        ),
        (
            "spread",
            [
                "{x} spreads when people cough",
                "coughing passes {x} from person to person",
                "{x} travels through the air when the sick cough",
            ],
            ["tuberculosis", "measles", "whooping cough"],
        ),
    ],
    "counts": [
        (
            [
                "the clinic treated {n} patients {t}",
                "{n} patients were seen at the clinic {t}",
                "the clinic's staff looked after {n} sick people {t}",
            ],
            "L",
        ),
        (
            [
                "the patient stayed in hospital for {n} days",
                "it took {n} days before the patient could leave the hospital",
            ],
            "S",
        ),
    ],
}

TOPICS["football"] = {
    "people": [
        "the striker|the centre forward",
        "the goalkeeper|the keeper",
        "the coach|the manager",
        "the referee",
        "the captain|the team captain",
    ],
    "scenes": [
        (
            "miss",
            "-",
            "04NI",
            "miss/missed|waste/wasted|squander/squandered",
            [
                "the penalty|the spot kick",
                "an open goal",
                "the best chance of the game|the biggest opportunity of the match",
            ],
            ["at the home stadium|on home ground", "in front of the fans|before the supporters"],
            [
                "the pitch was slippery|the grass was wet",
                "the crowd was whistling|loud whistles came from the stands",
                "the ball bounced badly|the ball took an odd bounce",
            ],
        ),
        (
            "score",
            "+",
            "04N",
            "score/scored|net/netted",
            [
                "the winning goal|the winner",
                "a late equaliser|a goal that levelled the game late on",
                "two goals+",
                "a header",
            ],
            ["in the cup final", "away from home|on the road", "at the home stadium|on home ground"],
            [
                "the defence had fallen asleep|the defenders were not paying attention",
                "the keeper had left the line|the goal was unguarded",
            ],
        ),
        (
            "save",
            "+",
            "1",
            "save/saved|stop/stopped|keep out/kept out",
            ["the penalty|the spot kick", "a powerful shot", "a close-range header|a header from a few yards"],
            ["in the cup final", "in stoppage time|in added time"],
            [
                "the shot was too weak|there was not enough power behind the ball",
                "the striker had looked to the left|the forward's eyes had given the side away",
            ],
        ),
        (
            "drop",
            "-px",
            "2",
            "drop/dropped|leave/left~out|take/took/taken~off the team sheet",
            ["the young winger", "the injured defender", "the Brazilian midfielder|the midfielder from Brazil"],
            ["for the derby|for the match against the local rivals"],
            [
                "training had gone badly|the week of training had been poor",
                "a change of tactics was needed|the plan of play had to change",
            ],
        ),
        (
            "show",
            "-qx",
            "3",
            "show/showed/shown~a red card|send/sent~off",
            ["the defender", "the substitute", "the visiting captain|the captain of the visitors"],
            ["in the second half|after the break", "in front of the fans|before the supporters"],
            [
                "the tackle was dangerous|it had been a reckless challenge",
                "there had been too much arguing|the protests would not end",
            ],
        ),
    ],
    "matters": [
        "the line-up|the starting eleven",
        "the training plan|the schedule for training",
        "the transfer",
        "the disputed penalty|the penalty nobody could agree on",
        "the tickets for the derby|the derby tickets",
    ],
    "subjects": [
        "the offside rule",
        "the World Cup in Brazil",
        "counter-attacks|playing on the break",
        "goal-line technology",
        "youth academies",
        "penalty shoot-outs",
        "transfer fees|what clubs pay for players",
        "hooligans",
        "the women's league",
        "artificial turf|plastic pitches",
        "free kicks",
        "zonal marking",
        "relegation|going down a division",
        "the history of the league",
        "hat-tricks",
        "video referees",
        "the long throw-in",
        "fan culture",
        "season tickets",
        "sliding tackles",
    ],
    "opinions": [
        ("the match|the game", "dull gripping good"),
        ("the red card", "unfair fair"),
        ("the new kit|the new jersey", "ugly lovely dear"),
        ("the left winger", "fast slow good bad"),
        ("the coach's tactics+", "confusing clear risky bad good"),
        ("the season ticket", "dear cheap"),
    ],
    "rivals": [
        "the cup match",
        "the league game",
        "the old stadium|the former ground",
        "the defensive tactics+",
        "the Spanish team|the team from Spain",
    ],
    "advice": [
        (
            "head",
            [
                "keep your head up when you {x}",
                "look around you, not at the ball, when you {x}",
                "never stare at your feet as you {x}",
            ],
            ["dribble", "run with the ball", "pass"],
        ),
        (
            "warm",
            ["warm up properly before {x}", "never go into {x} with cold muscles", "do some stretching ahead of {x}"],
            ["the match|the game", "a sprint session", "shooting practice"],
        ),
        (
            "low",
            ["hit {x} low and into the corner", "aim {x} along the ground and close to the post"],
            ["the penalty|the spot kick", "your shot", "the free kick"],
        ),
    ],
    "facts": [
        (
            "offside",
            [
                "a player cannot be offside from {x}",
                "the offside rule does not apply to {x}",
                "with {x} there is no offside",
            ],
            ["a throw-in", "a goal kick", "a corner|a corner kick"],
        ),
        (
            "home",
            [
                "{x} usually do better at home",
                "playing at home helps {x}",
                "{x} tend to win more often on their own ground",
            ],
            ["young teams|youthful sides", "teams with loud fans", "promoted clubs"],
        ),
    ],
    "counts": [
        (
            [
                "{n} supporters travelled to the game {t}",
                "{n} fans made the trip to the match {t}",
                "the match was attended by {n} travelling fans {t}",
            ],
            "L",
        ),
        (["the striker has scored {n} goals this season", "this season the forward has found the net {n} times"], "S"),
        (["the club has been without a win for {n} games", "the team has not won any of its last {n} matches"], "S"),
    ],
}

TOPICS["astronomy"] = {
    "people": [
        "the astronomer|the stargazer",
        "the observatory team|the team at the observatory",
        "the students+",
        "the amateur observer|the hobby astronomer",
        "the mission scientist|the scientist in charge of the mission",
    ],
    "scenes": [
        (
            "discover",
            "+o",
            "013N",
            "discover/discovered|find/found|detect/detected",
            [
                "a new comet",
                "a planet around a nearby star|a world circling a neighbouring star",
                "a distant galaxy|a far-away galaxy",
                "an unknown asteroid",
            ],
            ["with a small telescope|using a modest telescope", "from a mountain in Chile|on a Chilean peak"],
            [
                "the sky was exceptionally clear|there was not a cloud in the sky",
                "the new camera was so sensitive|the new detector picked up the faintest light",
            ],
        ),
        (
            "photograph",
            "+pco",
            "0123NI",
            "photograph/photographed|take/took/taken pictures of!|capture/captured~on camera",
            [
                "the lunar eclipse|the eclipse of the moon",
                "the rings of Saturn+|Saturn's rings+",
                "a meteor shower|a shower of shooting stars",
                "the craters of the moon+|the moon's craters+",
            ],
            [
                "from the roof|from the top of the building",
                "in the desert",
                "with a small telescope|using a modest telescope",
            ],
            [
                "the night was unusually dark|there was hardly any stray light",
                "a magazine had asked for it|a magazine wanted it",
            ],
        ),
        (
            "measure",
            "pcq",
            "014",
            "measure/measured|determine/determined|work out/worked out",
            [
                "the distance to the star|how far away the star was",
                "the mass of a black hole|how heavy a black hole was",
                "the speed of the comet|how fast the comet was moving",
            ],
            ["at the observatory", "with a radio dish|using a radio antenna"],
            [
                "the old value was in doubt|nobody trusted the earlier figure",
                "two theories disagreed|two models did not match",
            ],
        ),
        (
            "lose",
            "-",
            "14",
            "lose/lost",
            [
                "contact with the probe|the link to the probe",
                "sight of the asteroid|track of the asteroid",
                "the signal from Mars|the Martian signal",
            ],
            ["beyond the orbit of Jupiter|further out than Jupiter"],
            [
                "a solar storm had begun|the sun was throwing out charged particles",
                "the antenna was pointing the wrong way|the dish had been turned in the wrong direction",
            ],
        ),
    ],
    "matters": [
        "the faint signal|the weak signal",
        "the launch window",
        "the mirror of the telescope|the telescope's mirror",
        "the comet",
        "the strange light near the moon|the odd glow beside the moon",
    ],
    "subjects": [
        "black holes",
        "the birth of stars|how stars form",
        "Saturn's moons",
        "dark matter",
        "exploding stars|supernovae",
        "the surface of Mars|the Martian surface",
        "sunspots|dark patches on the sun",
        "the Milky Way|our galaxy",
        "gravitational waves",
        "the Big Bang",
        "Venus",
        "pulsars",
        "light pollution",
        "life on other planets|extraterrestrial life",
        "meteorites|rocks that fall from space",
        "the phases of the moon",
        "the space telescope",
        "constellations",
        "Pluto",
        "the northern lights|the aurora",
    ],
    "opinions": [
        ("the view of Jupiter|the sight of Jupiter", "lovely bad"),
        ("the lecture on galaxies", "dull gripping confusing clear"),
        ("the star chart", "confusing clear useful useless"),
        ("the mission to Mars", "risky dear useful"),
        ("the new telescope", "good dear cheap useless"),
        ("the meteor shower", "bad lovely gripping"),
    ],
    "rivals": [
        "the planetarium",
        "the mountain observatory|the observatory on the mountain",
        "the moon photographs+|the pictures of the moon+",
        "the star atlas",
        "the Mars exhibition|the exhibition on Mars",
    ],
    "advice": [
        (
            "dark",
            [
                "let your eyes adapt to the dark before you look for {x}",
                "spend some time in darkness before searching for {x}",
                "do not look for {x} until your eyes are used to the night",
            ],
            ["faint stars|dim stars", "the comet", "the Andromeda galaxy"],
        ),
        (
            "sun",
            [
                "never look at {x} through a telescope without a filter",
                "always fit a filter before you point a telescope at {x}",
            ],
            ["the sun", "a solar eclipse|an eclipse of the sun", "sunspots"],
        ),
        (
            "city",
            ["leave the city if you want to see {x}", "to see {x}, go where there are no street lamps"],
            ["the Milky Way", "shooting stars|meteors", "the faint nebula"],
        ),
    ],
    "facts": [
        (
            "light",
            [
                "the light of {x} takes years to reach us",
                "we see {x} as it was years ago",
                "years pass before the glow of {x} arrives on Earth",
            ],
            ["Sirius", "a nearby star|a neighbouring star", "the brightest stars"],
        ),
        (
            "air",
            ["there is no air on {x}", "{x} has no atmosphere to breathe", "on {x} you would find nothing to breathe"],
            ["the moon", "Mercury", "an asteroid"],
        ),
        (
            "orbit",
            ["{x} goes round the sun", "the sun is circled by {x}", "{x} follows a path around our star"],
            ["Neptune", "Halley's comet", "the dwarf planet Ceres"],
        ),
    ],
    "counts": [
        (["the survey found {n} new asteroids {t}", "{n} unknown asteroids turned up in the survey {t}"], "L"),
        (["the observer counted {n} shooting stars in an hour", "within an hour {n} meteors crossed the sky"], "L"),
        (["the probe needs {n} months to reach Mars", "the journey of the probe to Mars lasts {n} months"], "S"),
    ],
}

TOPICS["banking"] = {
    "people": [
        "the bank clerk|the teller",
        "the customer|the account holder",
        "the branch manager|the head of the branch",
        "the auditor",
        "the investors+|the shareholders+",
    ],
    "scenes": [
        (
            "withdraw",
            "pq",
            "1NI",
            "withdraw/withdrew/withdrawn|take out/took out/taken out",
            [
                "two thousand euros|2,000 euros",
                "all the savings+|every penny of the savings",
                "a little cash|a small sum of cash",
            ],
            ["at the branch in town|at the town branch", "from the cash machine|at the ATM"],
            [
                "the rent was due|it was time to pay the landlord",
                "there were rumours of a collapse|people said that the bank might fail",
                "the card had been blocked|the card no longer worked",
            ],
        ),
        (
            "approve",
            "+pcq",
            "02",
            "approve/approved|grant/granted|say/said yes to!",
            [
                "the mortgage|the home loan",
                "the loan for the bakery|the bakery loan",
                "a higher credit limit|an increase of the credit limit",
            ],
            ["at the branch in town|at the town branch"],
            ["the income was steady|money came in regularly", "there were no old debts|nothing was owed elsewhere"],
        ),
        (
            "overlook",
            "-a",
            "03",
            "overlook/overlooked|miss/missed|fail/failed to spot!",
            [
                "a forged signature|a fake signature",
                "the missing deposit",
                "an error in the accounts|a mistake in the books",
            ],
            ["at the head office|at headquarters"],
            [
                "the paperwork was a mess|the files were in disorder",
                "there was pressure to finish early|the work had to be done fast",
            ],
        ),
        (
            "sell",
            "pq",
            "4NI",
            "sell/sold|get/got rid of|dispose/disposed of",
            ["the government bonds+|the state bonds+", "half of the shares+|50 percent of the stock", "the gold"],
            ["on the stock exchange|on the stock market"],
            [
                "interest rates were climbing|borrowing was getting dearer",
                "prices had begun to fall|the market was going down",
            ],
        ),
        (
            "repay",
            "+po",
            "1NI",
            "repay/repaid|pay back/paid back|pay off/paid off",
            ["the student loan", "the overdraft", "the debt to the bank|what was owed to the bank"],
            [],
            [
                "the interest was too high|the interest charges were painful",
                "a bonus had come in|there had been some extra money",
            ],
        ),
    ],
    "matters": [
        "the overdraft",
        "the interest rate on the loan|the rate of the loan",
        "the lost card|the card that had gone missing",
        "the transfer to Spain|the money sent to Spain",
        "the monthly fees|the charges every month",
    ],
    "subjects": [
        "compound interest",
        "pension funds",
        "inflation|rising prices",
        "online banking fraud",
        "credit ratings|credit scores",
        "the central bank",
        "tax-free savings",
        "exchange rates|currency rates",
        "the financial crisis|the crash of the markets",
        "cryptocurrencies|digital coins",
        "mortgage brokers",
        "contactless payments",
        "money laundering",
        "hedge funds",
        "cheques",
        "microloans",
        "negative interest",
        "the gold standard",
        "dividends",
        "safe deposit boxes",
    ],
    "opinions": [
        ("the monthly fee|the fee every month", "dear unfair fair"),
        ("the banking app", "confusing clear slow useful good"),
        ("the loan agreement|the contract for the loan", "confusing fair unfair clear"),
        ("the shares+", "risky safe cheap dear"),
        ("the adviser at the branch", "useless good slow"),
        ("the savings plan", "good bad safe dull"),
    ],
    "rivals": [
        "the fixed-rate mortgage|the mortgage with a fixed rate",
        "the savings account",
        "the index fund",
        "the credit card",
        "the life insurance",
    ],
    "advice": [
        (
            "pin",
            ["never tell anyone {x}", "keep {x} to yourself", "do not share {x} with another person"],
            [
                "your PIN|your secret number",
                "the password of your account|your account password",
                "the code from the card reader",
            ],
        ),
        (
            "spread",
            [
                "do not put all your money into {x}",
                "never invest everything you have in {x}",
                "keep some of your savings out of {x}",
            ],
            ["one stock|a single share", "property", "gold"],
        ),
        (
            "read",
            ["read the small print before you sign {x}", "never put your name to {x} without studying every clause"],
            ["a mortgage|a home loan", "a credit agreement", "an insurance policy"],
        ),
    ],
    "facts": [
        (
            "rates",
            [
                "when interest rates rise, {x} becomes more expensive",
                "higher interest makes {x} dearer",
                "{x} costs more once the rates go up",
            ],
            ["borrowing", "a mortgage|a home loan", "an overdraft"],
        ),
        (
            "risk",
            [
                "{x} can lose value overnight",
                "within a day {x} may be worth far less",
                "it takes a single night for {x} to drop in value",
            ],
            ["a share|a stock", "a cryptocurrency", "a foreign currency"],
        ),
    ],
    "counts": [
        (["the bank closed {n} branches {t}", "{n} branches of the bank were shut {t}"], "S"),
        (["the customer transferred {n} euros {t}", "{n} euros left the customer's account {t}"], "L"),
        (["the loan has to be repaid within {n} years", "the borrower has {n} years to pay back the loan"], "S"),
    ],
}

TOPICS["gardening"] = {
    "people": ["the gardener", "the neighbour", "the park keeper|the warden of the park", "the children+|the kids+"],
    "scenes": [
        (
            "plant",
            "+pco",
            "0123NI",
            "plant/planted|put/put~in the ground",
            [
                "the tulip bulbs+",
                "a pear tree",
                "a row of beans",
                "the strawberries+|the strawberry plants+",
                "the rose cuttings+",
            ],
            ["along the fence|next to the fence", "in the raised bed", "behind the shed|at the back of the shed"],
            [
                "the soil was finally warm|the earth had warmed up at last",
                "the frost was over|there was no more frost",
                "the bed looked bare|the plot seemed empty",
            ],
        ),
        (
            "prune",
            "phcq",
            "02NI",
            "prune/pruned|trim/trimmed|cut back/cut back",
            ["the roses+|the rose bushes+", "the hedge", "the old apple tree", "the grapevine|the vine"],
            ["in the front garden|in front of the house", "by the gate|next to the gate"],
            [
                "the branches blocked the path|there was no getting past the branches",
                "the growth had become too thick|everything had grown too dense",
            ],
        ),
        (
            "water",
            "phcq",
            "0123NI",
            "water/watered|give/gave/given water to!",
            [
                "the tomatoes+|the tomato plants+",
                "the lawn|the grass",
                "the seedlings+|the young plants+",
                "the pots on the balcony+|the balcony plants+",
            ],
            ["with a watering can", "with rainwater from the barrel|using rain collected in the barrel"],
            [
                "it had not rained for weeks|there had been weeks without rain",
                "the leaves were drooping|the foliage hung limp",
            ],
        ),
        (
            "kill",
            "-a",
            "02NI",
            "kill/killed|destroy/destroyed",
            ["the orchids+", "the basil", "half the lawn|half of the grass"],
            ["in the greenhouse|under glass"],
            [
                "the fertiliser was too strong|too much fertiliser had been used",
                "the weedkiller had been mixed up with the plant food|the wrong bottle had been taken from the shelf",
            ],
        ),
        (
            "harvest",
            "+pq",
            "013NI",
            "pick/picked|gather/gathered",
            [
                "the ripe plums+",
                "a basket of courgettes|a basketful of zucchini",
                "the last of the peas|the remaining peas+",
            ],
            ["in the orchard|among the fruit trees", "in the kitchen garden|in the vegetable patch"],
            [
                "the birds were eating everything|birds had started on the crop",
                "visitors were coming for supper|there were guests for the evening",
            ],
        ),
    ],
    "matters": [
        "the overgrown hedge|the hedge that had grown wild",
        "the greenfly on the roses|the aphids on the rose bushes",
        "the compost heap",
        "the broken greenhouse pane",
        "the shared lawnmower|the mower they both used",
    ],
    "subjects": [
        "compost",
        "slugs",
        "climbing roses",
        "growing herbs on a windowsill|windowsill herbs",
        "grafting fruit trees",
        "wildflower meadows",
        "bonsai|miniature trees",
        "root rot",
        "mulching|covering the soil with bark",
        "heirloom tomatoes|old tomato varieties",
        "orchids",
        "lawn care",
        "greenhouses",
        "earthworms",
        "spring bulbs",
        "hydrangeas",
        "Japanese maples",
        "weeding",
        "allotments",
        "lavender",
    ],
    "opinions": [
        ("the rose bed|the bed of roses", "lovely ugly"),
        ("the new lawnmower", "good useless dear risky"),
        ("the garden gnome", "ugly lovely"),
        ("the pruning course", "dull useful clear"),
        ("the pumpkin seeds+", "cheap dear bad good"),
        ("the flower show", "dull gripping lovely"),
    ],
    "rivals": [
        "the roses+",
        "the vegetable patch|the vegetable bed",
        "the lilac",
        "the Japanese garden",
        "the herb spiral",
    ],
    "advice": [
        (
            "evening",
            [
                "water {x} in the evening rather than at noon",
                "wait until the sun is low before you give {x} a drink",
                "do not water {x} in the midday heat",
            ],
            ["the tomatoes", "the lawn|the grass", "the flower beds"],
        ),
        (
            "frost",
            [
                "do not plant {x} until the last frost is over",
                "wait for the end of the frosts before {x} goes outside",
                "only put {x} out when no more frost is expected",
            ],
            ["pumpkins", "basil", "the dahlias"],
        ),
        (
            "slug",
            ["put a ring of sand around {x} to keep the slugs away", "surround {x} with sand so that slugs stay off"],
            ["the lettuce", "the young beans", "the hostas"],
        ),
    ],
    "facts": [
        (
            "shade",
            ["{x} grows well in the shade", "{x} does not need much sun", "a shady corner is no problem for {x}"],
            ["ivy", "a fern", "moss"],
        ),
        (
            "bees",
            ["bees love {x}", "{x} attracts plenty of bees", "plant {x} and the bees will come"],
            ["lavender", "borage", "thyme"],
        ),
    ],
    "counts": [
        (["the cherry tree gave {n} kilos of fruit {t}", "{n} kilos of cherries were picked from the tree {t}"], "L"),
        (["the seeds take {n} days to come up", "after sowing, it is {n} days before the seedlings appear"], "S"),
        (["volunteers planted {n} trees in the park {t}", "the park gained {n} trees {t} thanks to volunteers"], "L"),
    ],
}

TOPICS["railways"] = {
    "people": [
        "the train driver|the engine driver",
        "the conductor|the guard on the train",
        "the passengers+|the travellers+",
        "the signal operator|the person in the signal box",
        "the station manager|the head of the station",
    ],
    "scenes": [
        (
            "miss",
            "-a",
            "2NI",
            "miss/missed|fail/failed to catch!",
            [
                "the last train|the final train of the day",
                "the night express|the express in the night",
                "the connection to Vienna|the connecting train to Vienna",
            ],
            ["at the central station|at the main station"],
            [
                "the platform had been changed|the train left from another platform",
                "the taxi got stuck in traffic|the cab was held up in a jam",
                "the clock was slow|the clock was running behind",
            ],
        ),
        (
            "stop",
            "q",
            "03",
            "stop/stopped|halt/halted|bring/brought~to a standstill",
            ["the express|the fast train", "the freight train|the goods train", "the commuter train"],
            [
                "outside the tunnel|just short of the tunnel",
                "near the border|close to the frontier",
                "at a red signal|at a signal that showed red",
            ],
            [
                "a tree had fallen on the line|the track was blocked by a tree",
                "cows were standing on the track|there was cattle on the rails",
                "a warning light had come on|a lamp signalled a fault",
            ],
        ),
        (
            "cancel",
            "-pq",
            "4",
            "cancel/cancelled|call off/called off|scrap/scrapped",
            [
                "the early departures+|the first trains of the day+",
                "the night service|the trains at night+",
                "the special train to the coast|the extra train to the seaside",
            ],
            ["at the central station|at the main station"],
            [
                "too many drivers were ill|there were not enough healthy drivers",
                "a strike had been announced|the unions had called a strike",
            ],
        ),
        (
            "inspect",
            "phcq",
            "1",
            "check/checked|inspect/inspected|look/looked at",
            ["the tickets+", "the season passes+", "the reservations+"],
            ["in the first carriage|in the front coach", "in the dining car|in the restaurant car"],
            [
                "many people travelled without paying|fare dodging was common",
                "seats were scarce|there were not enough seats",
            ],
        ),
        (
            "repair",
            "+pcq",
            "3",
            "repair/repaired|fix/fixed",
            [
                "the faulty signal|the signal that had failed",
                "the points+|the switch",
                "the crossing gate|the barrier at the crossing",
            ],
            ["near the border|close to the frontier", "at the junction"],
            [
                "trains were piling up|one train after another had to wait",
                "the winter timetable was about to start|the timetable for the winter was due",
            ],
        ),
    ],
    "matters": [
        "the delay|the late arrival",
        "the lost luggage|the missing suitcase",
        "the new timetable|the new schedule of trains",
        "the ticket inspection|the check of the tickets",
        "the signal failure|the broken signal",
    ],
    "subjects": [
        "steam engines|steam locomotives",
        "high-speed lines|fast rail links",
        "sleeper trains|trains with beds",
        "level crossings",
        "the Channel Tunnel",
        "ticket machines",
        "narrow-gauge lines",
        "model railways",
        "underground stations|metro stops",
        "signal boxes",
        "the Trans-Siberian route",
        "rail strikes",
        "freight wagons",
        "overhead wires",
        "viaducts",
        "driverless trains|trains without drivers",
        "station cafés",
        "the history of the dining car",
        "cable cars",
        "the rail museum",
    ],
    "opinions": [
        ("the night train", "slow dear cheap good"),
        ("the new timetable|the new schedule", "confusing clear bad"),
        ("the station roof", "ugly lovely"),
        ("the ride through the Alps", "lovely dull gripping"),
        ("the fare to the airport|the airport fare", "dear cheap unfair"),
        ("the level crossing", "risky safe"),
    ],
    "rivals": [
        "the night train",
        "the slow train along the coast|the slow coastal train",
        "the railcard",
        "the dining car|the restaurant car",
        "the underground|the metro",
    ],
    "advice": [
        (
            "book",
            [
                "book {x} well before you travel",
                "do not leave it until the last minute to reserve {x}",
                "get {x} long before the day of departure",
            ],
            ["a seat on the express|an express seat", "a bed in the sleeping car", "a ticket to Rome"],
        ),
        (
            "stand",
            [
                "stand behind the yellow line when {x} arrives",
                "keep away from the platform edge as {x} comes in",
                "never step over the yellow line while {x} pulls in",
            ],
            ["the express", "the train", "the underground train|the metro"],
        ),
    ],
    "facts": [
        (
            "brake",
            [
                "{x} needs a long distance to brake",
                "{x} cannot stop quickly",
                "it takes {x} a long way to come to a halt",
            ],
            ["a freight train|a goods train", "an express train|a fast train", "a heavy locomotive"],
        ),
        (
            "green",
            [
                "going by rail pollutes less than {x}",
                "{x} causes more pollution than the train",
                "taking the train is cleaner than {x}",
            ],
            ["flying|going by plane", "driving|going by car", "taking a taxi"],
        ),
    ],
    "counts": [
        (
            [
                "the train was {n} minutes late {t}",
                "the train arrived {n} minutes behind schedule {t}",
                "passengers had to wait {n} minutes for the train {t}",
            ],
            "S",
        ),
        (
            ["{n} passengers were stuck in the tunnel {t}", "a stopped train trapped {n} travellers in the tunnel {t}"],
            "L",
        ),
        (["the new line has {n} stations", "trains on the new line call at {n} stops"], "S"),
    ],
}

TOPICS["music"] = {
    "people": [
        "the conductor|the leader of the orchestra",
        "the violinist",
        "the singer|the vocalist",
        "the pianist|the piano player",
        "the band+|the musicians+",
    ],
    "scenes": [
        (
            "play",
            "+phco",
            "134N",
            "play/played|perform/performed",
            [
                "a sonata by Mozart|a Mozart sonata",
                "a slow waltz",
                "the second movement",
                "an old folk tune|a traditional melody",
            ],
            ["in the concert hall|at the concert hall", "at the jazz club", "in a small church"],
            [
                "the audience asked for more|the crowd wanted an encore",
                "it was the composer's birthday|the composer had been born on that day",
            ],
        ),
        (
            "record",
            "+pqo",
            "1234NI",
            "record/recorded|make/made a recording of!|tape/taped",
            [
                "a new album",
                "three songs+|three tracks+",
                "a duet for flute and harp|a flute and harp duet",
                "the guitar part",
            ],
            ["in the studio", "in a garage|in somebody's garage"],
            [
                "the label wanted something fresh|the record company asked for new material",
                "the tour was over|the concert tour had ended",
            ],
        ),
        (
            "forget",
            "-a",
            "234N",
            "forget/forgot/forgotten|mix up/mixed up",
            [
                "the words of the second verse+|the lyrics of verse two+",
                "the opening notes+|the first notes+",
                "the key change",
            ],
            ["on stage|in front of the audience", "at the audition|while auditioning"],
            [
                "nerves had taken over|stage fright had struck",
                "there had been too little practice|rehearsals had been far too short",
            ],
        ),
        (
            "tune",
            "phcq",
            "13NI",
            "tune/tuned",
            ["the old piano", "the cello", "the guitar strings+|the strings of the guitar+"],
            ["behind the stage|backstage", "before the concert|ahead of the performance"],
            [
                "the damp air had changed the pitch|humidity had altered the sound",
                "it sounded terrible|the sound was awful",
            ],
        ),
        (
            "conduct",
            "+pc",
            "0",
            "conduct/conducted|lead/led~with the baton",
            [
                "the youth orchestra|the young people's orchestra",
                "the opera",
                "the ninth symphony|symphony number nine",
            ],
            ["in the concert hall|at the concert hall", "at the summer festival"],
            [
                "the usual leader was ill|the regular maestro was unwell",
                "the city was celebrating|there was a celebration in the city",
            ],
        ),
    ],
    "matters": [
        "the rehearsal|the practice session",
        "the tempo of the finale|the speed of the finale",
        "the broken string|the string that had snapped",
        "the score|the sheet music",
        "the solo",
    ],
    "subjects": [
        "baroque opera",
        "the blues",
        "jazz improvisation|making up solos in jazz",
        "drum solos",
        "perfect pitch",
        "choir singing|singing in a choir",
        "electric guitars",
        "film scores|soundtracks",
        "Chopin",
        "vinyl records|LPs",
        "string quartets",
        "church organs",
        "folk ballads",
        "hip-hop",
        "music theory|harmony and counterpoint",
        "the saxophone",
        "bagpipes",
        "lullabies|songs for sending children to sleep",
        "synthesizers",
        "opera houses",
    ],
    "opinions": [
        ("the concert", "dull gripping good bad"),
        ("the piano concerto", "hard lovely dull"),
        ("the singer's voice", "lovely bad"),
        ("the drum solo", "dull gripping"),
        ("the second album", "bad good"),
        ("the tickets for the opera+|the opera tickets+", "dear cheap"),
    ],
    "rivals": [
        "the string quartet",
        "the jazz concert|the evening of jazz",
        "the organ recital",
        "the punk band",
        "the operetta",
    ],
    "advice": [
        (
            "slow",
            [
                "practise {x} slowly before you play it at full speed",
                "do not speed up {x} until you can play it at a slow tempo",
                "begin {x} at a gentle pace and only later play it fast",
            ],
            ["the scale", "the difficult passage|the hard bit", "the solo"],
        ),
        (
            "case",
            [
                "always keep {x} in its case",
                "never leave {x} lying about without a case",
                "put {x} back in its case after playing",
            ],
            ["the violin", "a clarinet", "the trumpet"],
        ),
    ],
    "facts": [
        (
            "wood",
            [
                "the wood of {x} affects its sound",
                "how {x} sounds depends on its timber",
                "{x} owes much of its tone to the wood it is made of",
            ],
            ["a violin", "a guitar", "a cello"],
        ),
        (
            "child",
            [
                "it is easiest to learn {x} as a child",
                "children pick up {x} faster than adults",
                "{x} is harder to learn for grown-ups than for children",
            ],
            ["the piano", "the violin", "an instrument"],
        ),
    ],
    "counts": [
        (["the choir sang {n} songs {t}", "{n} songs were performed by the choir {t}"], "S"),
        (["the band sold {n} copies of the record {t}", "{n} people bought the band's album {t}"], "L"),
        (["the orchestra has {n} string players", "in the orchestra, {n} musicians play string instruments"], "L"),
    ],
}

TOPICS["law"] = {
    "people": [
        "the judge",
        "the defence lawyer|the lawyer for the defence",
        "the witness",
        "the prosecutor|the public prosecutor",
        "the jury",
    ],
    "scenes": [
        (
            "reject",
            "pcq",
            "04",
            "reject/rejected|turn down/turned down|dismiss/dismissed",
            ["the appeal", "the confession", "the claim for damages|the compensation claim", "the new evidence"],
            ["in court|in the courtroom", "after a short recess|following a brief break"],
            [
                "it had been filed too late|the deadline had passed",
                "there was no proof|nothing could be proved",
                "the rules had been broken|the procedure had not been followed",
            ],
        ),
        (
            "question",
            "pcqx",
            "13",
            "question/questioned|examine/examined|interrogate/interrogated",
            [
                "the police officer|the officer",
                "the accountant",
                "the expert on fingerprints|the fingerprint specialist",
            ],
            ["in court|in the courtroom", "for two hours"],
            [
                "the stories did not match|the accounts contradicted each other",
                "an alibi was missing|there was no alibi",
            ],
        ),
        (
            "sign",
            "pq",
            "12NI",
            "sign/signed|put/put a signature to!",
            ["the contract|the agreement", "the written statement|the statement on paper", "the will|the last will"],
            ["at the notary's office", "in the presence of two witnesses|with two witnesses looking on"],
            [
                "both sides had agreed|the parties had come to terms",
                "the trial was about to begin|the case was due to open",
            ],
        ),
        (
            "withdraw",
            "p",
            "123N",
            "withdraw/withdrew/withdrawn|take back/took back/taken back|drop/dropped",
            ["the accusation|the charge", "the complaint", "the lawsuit|the suit"],
            ["before the trial|ahead of the trial", "in court|in the courtroom"],
            [
                "an apology had been made|the other side had said sorry",
                "the costs were getting out of hand|the legal bills kept growing",
            ],
        ),
        (
            "present",
            "+pq",
            "13",
            "present/presented|show/showed/shown~to the court|produce/produced",
            [
                "a secret recording|a hidden recording",
                "the murder weapon",
                "three letters+",
                "the bank records+|the records of the bank+",
            ],
            ["on the last day of the trial|as the trial drew to a close"],
            [
                "the jury was not yet convinced|the jurors still had doubts",
                "the truth had to come out|nothing could remain hidden",
            ],
        ),
    ],
    "matters": [
        "the verdict",
        "the hearing|the court session",
        "the missing file|the file that had vanished",
        "the plea bargain|the deal with the prosecution",
        "the inheritance",
    ],
    "subjects": [
        "copyright",
        "divorce settlements|the terms of a divorce",
        "the death penalty|capital punishment",
        "jury duty",
        "human rights",
        "patent disputes|quarrels over patents",
        "tenancy law|the rights of tenants",
        "wrongful convictions|innocent people in prison",
        "the constitution",
        "custody battles",
        "libel|written defamation",
        "tax evasion",
        "the Supreme Court",
        "juvenile offenders",
        "extradition|handing suspects to other states",
        "bail",
        "perjury|lying under oath",
        "antitrust cases",
        "the presumption of innocence",
        "small claims",
    ],
    "opinions": [
        ("the sentence|the punishment", "unfair fair"),
        ("the contract|the agreement", "confusing clear unfair fair"),
        ("the trial", "dull gripping unfair fair slow"),
        ("the lawyer's fees+|the legal fees+", "dear fair"),
        ("the closing speech", "good gripping dull"),
        ("the new law", "useful useless unfair confusing"),
    ],
    "rivals": [
        "the settlement out of court|the out-of-court settlement",
        "the long trial|the lengthy proceedings+",
        "the younger lawyer",
        "the fine",
        "the suspended sentence",
    ],
    "advice": [
        (
            "sign",
            [
                "never sign {x} without a lawyer",
                "have a lawyer look at {x} before you put your name to it",
                "get legal advice first and sign {x} afterwards",
            ],
            ["a contract", "a confession", "a settlement"],
        ),
        (
            "keep",
            ["keep a copy of {x} in case of a dispute", "hold on to a duplicate of {x}, for there may be a quarrel"],
            ["the lease|the rental agreement", "every letter", "the receipt"],
        ),
    ],
    "facts": [
        (
            "innocent",
            [
                "{x} is innocent until proven guilty",
                "nobody may treat {x} as guilty without proof",
                "unless guilt is proved, {x} counts as innocent",
            ],
            ["a suspect", "the defendant|the accused", "an arrested person"],
        ),
        (
            "silent",
            [
                "{x} has the right to remain silent",
                "no one can force {x} to speak",
                "{x} does not have to say anything",
            ],
            ["a suspect", "the defendant|the accused", "a detained person"],
        ),
        (
            "oath",
            ["lying under oath is a crime for {x}", "{x} commits an offence by telling lies under oath"],
            ["any witness|whoever testifies", "an expert in court"],
        ),
    ],
    "counts": [
        (
            [
                "the thief was sentenced to {n} years in prison",
                "the burglar got {n} years behind bars",
                "the court sent the thief to jail for {n} years",
            ],
            "S",
        ),
        (["the court heard {n} cases {t}", "{n} cases came before the court {t}"], "L"),
        (
            ["the jury needed {n} hours to reach a verdict", "it was {n} hours before the jurors agreed on a verdict"],
            "S",
        ),
    ],
}

TOPICS["weather"] = {
    "people": [
        "the forecaster|the weather presenter",
        "the mountain guide",
        "the meteorologist|the weather scientist",
        "the villagers+|the people in the village+",
    ],
    "scenes": [
        (
            "predict",
            "h",
            "02",
            "predict/predicted|forecast/forecast|announce/announced",
            [
                "heavy snow",
                "a heatwave|a spell of extreme heat",
                "thick fog|dense fog",
                "a week of rain|seven rainy days+",
                "a light frost",
            ],
            ["on the radio", "for the whole region|for all parts of the region"],
            [
                "the satellite pictures left no doubt|the images from space were clear",
                "the air pressure was changing|the barometer had begun to move",
            ],
        ),
        (
            "damage",
            "-",
            "",
            "damage/damaged|wreck/wrecked|ruin/ruined",
            ["dozens of roofs+|many roofs+", "the power line|the electricity line", "the village hall", "the pier"],
            ["along the coast|on the coast", "in the valley"],
            [
                "the wind reached hurricane force|the gusts were as strong as a hurricane",
                "the ground was soaked already|the soil could hold no more water",
            ],
            [
                "a violent storm|a fierce storm",
                "the hail|the hailstones+",
                "the flood|the high water",
                "a tornado|a whirlwind",
            ],
        ),
        (
            "measure",
            "phc",
            "02NI",
            "measure/measured|record/recorded|note down/noted down",
            [
                "the rainfall|the amount of rain",
                "the wind speed|the speed of the wind",
                "the temperature",
                "the depth of the snow|how deep the snow was",
            ],
            ["on the summit|at the top of the mountain", "at the weather station", "in the valley"],
            [
                "the figures were needed for a study|a study required the data",
                "a record seemed likely|a new record was in the air",
            ],
        ),
        (
            "survive",
            "+",
            "13NI",
            "survive/survived|live/lived through!",
            [
                "the blizzard|the snowstorm",
                "the drought|the long dry spell",
                "a lightning strike|a bolt of lightning",
                "the coldest night of the year",
            ],
            ["in a stone hut", "high in the mountains|up in the mountains"],
            [
                "there had been a warning in time|the alarm had been raised early",
                "there was enough firewood|the woodpile was big enough",
            ],
        ),
    ],
    "matters": [
        "the storm warning",
        "the icy roads|the slippery streets",
        "the rain on the wedding day|the wet weather on the wedding day",
        "the heat in the office|the high temperature in the office",
        "the flooded cellar|the cellar full of rainwater",
    ],
    "subjects": [
        "hurricanes|tropical storms",
        "climate change|global warming",
        "cloud types|the kinds of clouds",
        "the monsoon",
        "ball lightning",
        "long-range forecasts",
        "avalanches",
        "rainbows",
        "El Niño",
        "sandstorms",
        "black ice|invisible ice on roads",
        "the jet stream",
        "frost patterns",
        "thunder",
        "humidity|moisture in the air",
        "winter in Siberia",
        "weather balloons",
        "heat islands in cities",
        "the dry season",
        "hailstones",
    ],
    "opinions": [
        ("the sunset after the storm", "lovely gripping"),
        ("the forecast", "bad useless clear confusing good"),
        ("the icy pavement", "risky"),
        ("the weather app", "useful useless confusing"),
        ("the grey days of November+", "dull lovely"),
        ("the fog on the motorway", "risky"),
    ],
    "rivals": [
        "the dry heat of the desert|the desert heat",
        "the snow",
        "the mild autumn|the gentle autumn weather",
        "the sea breeze",
        "the drizzle|the light rain",
    ],
    "advice": [
        (
            "tree",
            [
                "do not shelter under {x} during a thunderstorm",
                "keep away from {x} when there is lightning",
                "when thunder comes close, never stand beneath {x}",
            ],
            ["a tree", "a tall oak", "a metal roof"],
        ),
        (
            "coat",
            [
                "take {x} with you because it looks like rain",
                "the clouds are dark, so do not leave without {x}",
                "bring {x} along, as it will probably get wet",
            ],
            ["an umbrella", "a raincoat|a waterproof jacket", "rubber boots|wellingtons"],
        ),
        (
            "sun",
            ["drink plenty of water when {x}", "make sure that you get enough to drink if {x}"],
            [
                "it is very hot|the heat is extreme",
                "the sun burns all day|there is no shade from the sun",
                "the air is dry and warm",
            ],
        ),
    ],
    "facts": [
        (
            "cloud",
            [
                "{x} keep the night from getting cold",
                "nights stay milder under {x}",
                "with {x} above, the temperature drops less after dark",
            ],
            ["clouds", "thick clouds|heavy clouds", "low clouds"],
        ),
        (
            "cold",
            [
                "{x} can bring snow even in May",
                "even in May it may snow because of {x}",
                "snow in May is possible with {x}",
            ],
            ["a north wind|wind from the north", "polar air|air from the Arctic", "a cold front"],
        ),
    ],
    "counts": [
        (
            [
                "{n} centimetres of snow fell {t}",
                "the snowfall came to {n} centimetres {t}",
                "the land was covered by {n} centimetres of snow {t}",
            ],
            "S",
        ),
        (
            [
                "it has not rained for {n} days",
                "{n} days have passed without a drop of rain",
                "the dry spell has lasted {n} days",
            ],
            "S",
        ),
        (
            [
                "{n} homes were without power after the storm {t}",
                "the storm cut off the electricity of {n} households {t}",
            ],
            "L",
        ),
    ],
}

TOPICS["software"] = {
    "people": [
        "the programmer|the developer",
        "the tester",
        "the system administrator|the admin",
        "the project leader|the head of the project",
        "the intern|the trainee",
    ],
    "scenes": [
        (
            "fix",
            "+pcqo",
            "024NI",
            "fix/fixed|repair/repaired|patch/patched",
            [
                "the memory leak",
                "the bug in the login page|the login bug",
                "the security hole|the vulnerability",
                "the broken build",
            ],
            ["in the old module|in the legacy module", "from home|working from home"],
            [
                "users were complaining|the complaints kept coming in",
                "the release was close|it was nearly time to ship",
            ],
        ),
        (
            "delete",
            "-a",
            "024NI",
            "delete/deleted|erase/erased|wipe/wiped",
            [
                "the customer database|the database of customers",
                "the wrong branch",
                "the backup files+|the backups+",
                "a folder full of logs|a directory of log files",
            ],
            ["on the main server", "with a single command|using just one command"],
            [
                "two servers had almost the same name|the names of two machines were nearly identical",
                "the script had a typo|there was a typing error in the script",
            ],
        ),
        (
            "write",
            "pcqo",
            "014NI",
            "write/wrote/written|code/coded",
            [
                "a unit test for the parser|a test of the parser",
                "a small script",
                "a new driver",
                "the search function|the code for searching",
            ],
            ["in Python", "from scratch|starting with nothing"],
            [
                "the old one was far too slow|the previous one took forever",
                "nobody understood the existing code|the existing code was a riddle to everyone",
            ],
        ),
        (
            "install",
            "pcq",
            "24NI",
            "install/installed|set up/set up",
            ["the update|the new version", "a firewall", "the compiler", "the mail server|the server for email"],
            ["on every laptop|on all the laptops", "in the data centre"],
            [
                "a virus was going around|malware was spreading",
                "the licence had run out|the old licence was no longer valid",
            ],
        ),
        (
            "review",
            "phcq",
            "03",
            "review/reviewed|go/went/gone over|read/read through",
            [
                "the pull request|the proposed change",
                "the design of the interface|the interface design",
                "two thousand lines of code+|2,000 lines of code+",
            ],
            ["from home|working from home"],
            [
                "the last change had caused a crash|everything had crashed after the previous change",
                "the code came from a newcomer|a beginner had written it",
            ],
        ),
    ],
    "matters": [
        "the crash|the sudden breakdown of the program",
        "the password reset|the new password",
        "the deadline for the release|the release date",
        "the error message",
        "the slow database|the sluggish database",
    ],
    "subjects": [
        "open-source licences",
        "quantum computing",
        "compilers",
        "artificial neural networks",
        "spreadsheet macros",
        "the Linux kernel",
        "phishing emails|fake emails that steal passwords",
        "garbage collection",
        "sorting algorithms",
        "cloud storage|keeping files online",
        "video game engines",
        "functional programming",
        "encryption|secret codes for data",
        "web browsers",
        "version control",
        "touch screens",
        "race conditions|timing bugs",
        "regular expressions",
        "old mainframes",
        "cookies in the browser",
    ],
    "opinions": [
        ("the user interface", "ugly confusing lovely clear"),
        ("the new laptop", "slow fast dear good"),
        ("the documentation|the manual", "useless useful confusing clear"),
        ("the programming course", "hard easy dull good"),
        ("the search tool", "slow fast useful useless"),
        ("the update", "useless bad risky"),
    ],
    "rivals": [
        "the command line",
        "the graphical editor|the editor with windows and icons",
        "the old version|the previous release",
        "the scripting language",
        "the open-source program",
    ],
    "advice": [
        (
            "backup",
            [
                "make a backup before you change {x}",
                "do not touch {x} without saving a copy first",
                "always keep a spare copy when you modify {x}",
            ],
            ["the database", "the configuration file|the settings file", "the server"],
        ),
        (
            "test",
            [
                "write a test for {x} before you change anything",
                "never rework {x} without having a test for it",
                "first cover {x} with a test and then start to edit",
            ],
            ["the parser", "the payment module|the module for payments", "every function"],
        ),
        (
            "name",
            ["give {x} a name that says what it does", "choose a telling name for {x}"],
            ["every variable", "each function", "the new class"],
        ),
    ],
    "facts": [
        (
            "bugs",
            [
                "every program of {x} contains bugs",
                "there is no code without errors in a program of {x}",
                "in software of {x}, some mistakes always remain",
            ],
            ["more than a few pages|any real size", "a million lines|one million lines", "many authors"],
        ),
        (
            "old",
            [
                "{x} still runs on very old code",
                "code written long ago keeps {x} going",
                "much of the code behind {x} is decades old",
            ],
            ["the payroll system", "many a cash machine", "the booking website"],
        ),
    ],
    "counts": [
        (
            [
                "the testers found {n} bugs {t}",
                "{n} errors were discovered in the program {t}",
                "testing brought {n} defects to light {t}",
            ],
            "L",
        ),
        (["the server was down for {n} hours {t}", "for {n} hours nobody could reach the server {t}"], "S"),
        (["the app was downloaded {n} times {t}", "{n} people put the app on their phones {t}"], "L"),
    ],
}

TOPICS["education"] = {
    "people": [
        "the teacher",
        "the headmistress|the head of the school",
        "the pupils+|the schoolchildren+",
        "the professor|the university lecturer",
        "the parents+|the mothers and fathers+",
    ],
    "scenes": [
        (
            "mark",
            "phcq",
            "03NI",
            "mark/marked|grade/graded|correct/corrected",
            [
                "the spelling tests+",
                "thirty essays+",
                "the final exams+|the final papers+",
                "the homework|the exercises done at home+",
            ],
            ["at the kitchen table", "in the staff room|in the teachers' room", "on the bus|while riding the bus"],
            [
                "the reports were due|school reports had to be handed in",
                "the holidays were about to start|term was nearly over",
            ],
        ),
        (
            "fail",
            "-",
            "2NI",
            "fail/failed|get/got/got nowhere in!",
            [
                "the maths exam|the exam in mathematics",
                "the entrance test|the admission test",
                "the driving theory paper",
            ],
            ["at the first attempt|the first time round"],
            [
                "there had been no time to revise|nobody had had time to study",
                "the questions were far too hard|the paper was much too difficult",
            ],
        ),
        (
            "explain",
            "+phcq",
            "03N",
            "explain/explained~to the class|teach/taught~to the class",
            [
                "the causes of the revolution+|why the revolution happened",
                "long division",
                "the use of the comma|how to use commas",
                "photosynthesis",
            ],
            ["on the blackboard|at the board", "in the morning lesson|in the first lesson"],
            [
                "nobody had understood the book|the textbook had left everyone puzzled",
                "a test was coming up|they were about to be tested",
            ],
        ),
        (
            "skip",
            "-ph",
            "2NI",
            "skip/skipped|stay/stayed away from!|cut/cut",
            ["the Latin lesson|the Latin class", "gym class|the sports lesson", "the afternoon lecture"],
            [],
            [
                "the sun was shining|the weather was glorious",
                "an assignment was unfinished|a piece of homework had not been done",
            ],
        ),
        (
            "support",
            "+p",
            "14",
            "support/supported|back/backed|speak/spoke/spoken up for!",
            [
                "the plan for a new library|the library plan",
                "smaller classes+",
                "free school lunches+|free meals at school+",
            ],
            ["at the school meeting"],
            [
                "the results had been getting worse|marks had been falling",
                "other towns had done it already|it had worked elsewhere",
            ],
        ),
    ],
    "matters": [
        "the homework",
        "the school trip|the class excursion",
        "the exam questions|the questions in the exam",
        "the bad marks|the poor grades",
        "the scholarship",
    ],
    "subjects": [
        "dyslexia",
        "boarding schools",
        "learning to read|early reading",
        "university fees|what it costs to study",
        "home schooling|teaching children at home",
        "school uniforms",
        "foreign exchange years",
        "bullying in the playground",
        "nursery schools|kindergartens",
        "multiple-choice tests",
        "handwriting",
        "gifted children",
        "distance learning|remote classes",
        "the Montessori method",
        "class sizes",
        "truancy|staying away from lessons",
        "evening classes for adults",
        "doctoral theses",
        "mental arithmetic",
        "vocational training|learning a trade",
    ],
    "opinions": [
        ("the lecture", "dull gripping confusing clear"),
        ("the history exam", "hard easy unfair fair"),
        ("the textbook", "confusing clear dear useful"),
        ("the school uniform", "ugly lovely dear"),
        ("the marking+", "unfair fair slow"),
        ("the language course", "good bad useful"),
    ],
    "rivals": [
        "the physics lesson|the class in physics",
        "the evening course|the course in the evening",
        "the oral exam",
        "the seminar",
        "the online lectures+|the lectures on the internet+",
    ],
    "advice": [
        (
            "revise",
            [
                "start revising for {x} early",
                "do not wait until the night before to study for {x}",
                "begin to prepare for {x} in good time",
            ],
            ["the exam|the test", "the finals", "the chemistry test"],
        ),
        (
            "ask",
            [
                "put up your hand if you do not understand {x}",
                "never be afraid to ask when {x} makes no sense to you",
                "if {x} puzzles you, speak up in class",
            ],
            ["the question", "the exercise", "the rule"],
        ),
        (
            "own",
            [
                "write {x} in your own words",
                "do not copy {x} from someone else",
                "when you do {x}, the wording must be yours",
            ],
            ["the essay", "the summary", "the report"],
        ),
    ],
    "facts": [
        (
            "sleep",
            [
                "{x} learn better after a good night's sleep",
                "enough sleep helps {x} to remember what they study",
                "without proper sleep, {x} find it harder to learn",
            ],
            ["teenagers", "pupils|schoolchildren", "students"],
        ),
        (
            "aloud",
            ["reading aloud to {x} builds their vocabulary", "{x} pick up new words when someone reads to them"],
            ["small children|little ones", "toddlers", "first-year pupils"],
        ),
    ],
    "counts": [
        (
            [
                "{n} pupils passed the exam {t}",
                "the exam was passed by {n} schoolchildren {t}",
                "{n} children got through the exam {t}",
            ],
            "L",
        ),
        (["the teacher has {n} lessons a week", "each week the teacher has to give {n} lessons"], "S"),
        (["the course lasts {n} weeks", "students need {n} weeks to complete the course"], "S"),
    ],
}

TOPICS["farming"] = {
    "people": [
        "the farmer",
        "the farm hand|the labourer on the farm",
        "the vet|the animal doctor",
        "the shepherd",
        "the dairy farmer|the milk producer",
    ],
    "scenes": [
        (
            "harvest",
            "+pqo",
            "014NI",
            "harvest/harvested|bring in/brought in",
            ["the wheat", "the potatoes+|the potato crop", "the maize|the corn", "the hay"],
            ["on the lower field|in the field down by the river", "with the old combine|using the old machine"],
            ["rain was on the way|wet weather was coming", "the price was high|buyers were paying well"],
        ),
        (
            "lose",
            "-",
            "034",
            "lose/lost",
            [
                "half the crop|half of the harvest",
                "forty sheep+|40 sheep+",
                "a prize bull",
                "most of the lambs+|nearly all the lambs+",
            ],
            ["on the hillside|on the slopes", "on the lower field|in the field down by the river"],
            [
                "a disease had broken out|an infection was spreading",
                "the drought would not end|the dry months went on and on",
                "the fence was broken|there was a gap in the fence",
            ],
        ),
        (
            "feed",
            "phqx",
            "013NI",
            "feed/fed|give/gave/given food to!",
            ["the pigs+", "the hens+|the chickens+", "the calves+", "the geese+"],
            ["in the barn", "behind the stable|at the back of the stable"],
            [
                "the trough was empty|nothing was left in the trough",
                "the pasture was under snow|snow covered the meadow",
            ],
        ),
        (
            "treat",
            "+pcqx",
            "2",
            "treat/treated|look/looked after|give/gave/given medicine to!",
            ["a lame horse|a limping horse", "the sick calf", "the whole herd|the entire herd"],
            ["in the barn", "out in the pasture|on the meadow"],
            [
                "the infection was spreading|more animals were falling ill",
                "the animal market was near|it was almost time for the livestock sale",
            ],
        ),
        (
            "plough",
            "pqo",
            "01NI",
            "plough/ploughed|turn over/turned over|till/tilled",
            [
                "the stubble field|the field of stubble",
                "the heavy clay soil|the heavy clay",
                "the strip by the road|the roadside strip",
            ],
            ["with the new tractor", "with two horses|using a pair of horses"],
            [
                "the ground had dried out|the soil was no longer wet",
                "the winter barley had to be sown|it was time to sow the barley",
            ],
        ),
    ],
    "matters": [
        "the milk price|the price paid for milk",
        "the broken tractor|the tractor that would not start",
        "the sick cows|the cattle that were ill",
        "the irrigation|the watering of the fields",
        "the seed potatoes",
    ],
    "subjects": [
        "crop rotation",
        "organic milk",
        "beekeeping|keeping bees",
        "pesticides|chemicals against pests",
        "free-range hens|chickens that live outdoors",
        "combine harvesters",
        "soil erosion|the loss of topsoil",
        "sheepdogs",
        "foot-and-mouth disease",
        "vineyards",
        "irrigation canals",
        "grain prices",
        "farm subsidies|state aid for farmers",
        "goat cheese from the mountain pastures",
        "tractors",
        "rice paddies",
        "cattle auctions|livestock sales",
        "silage",
        "olive groves",
        "genetically modified maize",
    ],
    "opinions": [
        ("the new tractor", "dear good slow useful"),
        ("the harvest|the crop", "bad good"),
        ("the price of grain|the grain price", "unfair fair"),
        ("the cattle market", "dull gripping"),
        ("the pesticide", "risky safe useless dear"),
        ("the sheepdog", "fast slow good useless"),
    ],
    "rivals": [
        "the old tractor",
        "the mountain pasture|the meadow high up",
        "the milking robot",
        "the Angus cattle",
        "the organic fertiliser|the natural manure",
    ],
    "advice": [
        (
            "rotate",
            [
                "do not grow {x} on the same field two years running",
                "plant {x} somewhere else the following year",
                "never sow {x} twice in a row on one plot of land",
            ],
            ["wheat", "maize|corn", "potatoes"],
        ),
        (
            "gate",
            [
                "close the gate so that {x} cannot get out",
                "shut the gate behind you to keep {x} in",
                "never leave the gate open or {x} will escape",
            ],
            ["the cows|the cattle", "the sheep", "the goats"],
        ),
    ],
    "facts": [
        (
            "clover",
            [
                "{x} makes the soil richer",
                "the ground becomes more fertile thanks to {x}",
                "fields gain nutrients from {x}",
            ],
            ["clover", "manure|animal dung", "the growing of beans"],
        ),
        (
            "day",
            [
                "{x} have to be looked after every day",
                "there is no day off from caring for {x}",
                "even on Sundays someone must tend {x}",
            ],
            ["dairy cows|milk cows", "hens|chickens", "pigs"],
        ),
    ],
    "counts": [
        (["the farm produced {n} tonnes of wheat {t}", "{n} tonnes of wheat were grown on the farm {t}"], "L"),
        (["the farmer bought {n} cows {t}", "{n} cows were added to the farmer's herd {t}"], "S"),
        (["{n} lambs were born on the farm {t}", "the ewes on the farm gave birth to {n} young {t}"], "L"),
    ],
}

TOPICS["sailing"] = {
    "people": [
        "the skipper|the captain of the boat",
        "the crew+|the sailors+",
        "the coastguard|the coastal rescue service",
        "the harbour master|the head of the harbour",
        "the boat owner|the owner of the yacht",
    ],
    "scenes": [
        (
            "lower",
            "phcq",
            "01NI",
            "lower/lowered|take down/took down/taken down|haul down/hauled down",
            ["the mainsail|the big sail", "the flag", "the spinnaker"],
            ["off the cape|near the cape", "in the bay"],
            [
                "the wind was getting too strong|a gale was coming up",
                "the harbour was in sight|they could see the port",
            ],
        ),
        (
            "anchor",
            "phcq",
            "014NI",
            "anchor/anchored|moor/moored|tie up/tied up",
            ["the yacht|the sailing boat", "the dinghy|the small boat", "the old schooner"],
            [
                "in a sheltered cove|in a protected bay",
                "at the wooden pier|by the wooden jetty",
                "behind the island|in the lee of the island",
            ],
            [
                "night was falling|it was getting dark",
                "the engine had stopped working|there was trouble with the engine",
                "the tide had turned|the tide was running the other way",
            ],
        ),
        (
            "damage",
            "-a",
            "01NI",
            "damage/damaged|break/broke/broken|smash/smashed",
            ["the rudder", "the mast", "the bow|the front of the boat", "the new keel"],
            ["on the rocks|on a reef", "at the harbour entrance|where the harbour begins"],
            [
                "the fog hid the lighthouse|the lighthouse could not be seen in the fog",
                "the current was stronger than expected|nobody had reckoned with such a strong current",
            ],
        ),
        (
            "rescue",
            "+qx",
            "2",
            "rescue/rescued|save/saved|pull/pulled~out of the water",
            [
                "two divers+|a pair of divers+",
                "the crew of a trawler+|the sailors from a trawler+",
                "a lone rower|a man in a rowing boat",
            ],
            ["far out at sea|a long way from the shore", "off the cape|near the cape"],
            [
                "an emergency call had come in|someone had radioed for help",
                "a flare had been seen|a signal rocket had lit up the sky",
            ],
        ),
        (
            "repair",
            "+pco",
            "014NI",
            "repair/repaired|mend/mended|patch up/patched up",
            ["the torn sail|the ripped sail", "a leak in the hull|a hole in the hull", "the winch"],
            ["in the dry dock|at the shipyard", "out at sea|on the open water"],
            ["a race was about to start|the regatta was close", "water was coming in|the bilge was filling up"],
        ),
    ],
    "matters": [
        "the storm sail",
        "the berth in the marina|the mooring in the yacht harbour",
        "the leak|the water in the boat",
        "the race|the regatta",
        "the life jackets|the buoyancy vests",
    ],
    "subjects": [
        "knots|ways of tying ropes",
        "the trade winds",
        "sailing round Cape Horn|rounding Cape Horn",
        "celestial navigation|steering by the stars",
        "seasickness",
        "lighthouses",
        "ocean races|regattas across the sea",
        "catamarans",
        "tides",
        "shipwrecks",
        "wooden boats",
        "pirates",
        "spinnakers",
        "sextants",
        "life on a houseboat",
        "rogue waves|giant waves",
        "the Baltic coast",
        "the rules of right of way at sea",
        "anchors",
        "the doldrums",
    ],
    "opinions": [
        ("the crossing", "risky gripping dull slow"),
        ("the wooden yacht|the yacht made of wood", "lovely dear slow"),
        ("the harbour fee|the charge for mooring", "dear unfair cheap"),
        ("the catamaran", "fast slow ugly good"),
        ("the sea chart|the nautical map", "confusing clear useful"),
        ("the regatta", "gripping dull good"),
    ],
    "rivals": [
        "the dinghy|the small boat",
        "the two-masted schooner|the schooner with two masts",
        "the trip along the coast|the coastal trip",
        "the motor yacht",
        "the long passage|the long voyage",
    ],
    "advice": [
        (
            "jacket",
            [
                "always wear a life jacket when you {x}",
                "never {x} without a life jacket",
                "put on a life jacket before you {x}",
            ],
            ["go on deck|step on deck", "sail at night", "take out the dinghy"],
        ),
        (
            "reef",
            ["reduce sail before {x}", "make the sails smaller ahead of {x}", "do not keep all the sails up in {x}"],
            ["a storm|a gale", "a squall", "rough weather at sea"],
        ),
    ],
    "facts": [
        (
            "wind",
            [
                "{x} cannot sail straight into the wind",
                "no wind from dead ahead can move {x} forward",
                "to go against the wind, {x} has to zigzag",
            ],
            ["a yacht|a sailing boat", "a dinghy", "an old schooner"],
        ),
        (
            "tide",
            [
                "{x} is only possible at high tide",
                "you need high water for {x}",
                "when the tide is low, {x} cannot be done",
            ],
            ["entering the small harbour", "crossing the sandbank", "leaving the river mouth"],
        ),
    ],
    "counts": [
        (
            [
                "{n} boats took part in the regatta {t}",
                "the regatta attracted {n} boats {t}",
                "{n} yachts were at the start of the race {t}",
            ],
            "L",
        ),
        (
            [
                "the yacht reached port after {n} days at sea",
                "the boat had spent {n} days on the water when it came into harbour",
            ],
            "S",
        ),
        (["the waves were {n} metres high {t}", "the sea rose to {n} metres {t}"], "S"),
    ],
}

TOPICS["architecture"] = {
    "people": [
        "the architect",
        "the builder|the building contractor",
        "the city planner|the town planner",
        "the engineer|the structural engineer",
        "the residents+|the people who live there+",
    ],
    "scenes": [
        (
            "design",
            "+pco",
            "03N",
            "design/designed|draw/drew/drawn up the plans for!|create/created",
            [
                "a glass tower|a high-rise made of glass",
                "the new concert hall",
                "a bridge for cyclists|a bicycle bridge",
                "a row of terraced houses",
            ],
            ["on the waterfront|by the water", "in the old quarter|in the historic district"],
            [
                "the city had held a competition|there had been a contest run by the city",
                "the site had been empty for years|nothing had stood on the plot for years",
            ],
        ),
        (
            "demolish",
            "-pq",
            "12",
            "demolish/demolished|tear down/tore down/torn down|knock down/knocked down",
            [
                "the old railway hotel",
                "a brick warehouse|a storehouse of brick",
                "the empty factory|the disused factory",
            ],
            ["in the city centre|downtown"],
            [
                "the walls were cracked|there were cracks in the walls",
                "room was needed for flats|space had to be found for housing",
            ],
        ),
        (
            "restore",
            "+pco",
            "013",
            "restore/restored|renovate/renovated|return/returned~to its former state",
            [
                "the medieval chapel|the chapel from the Middle Ages",
                "the town hall",
                "the tiled staircase|the staircase with the tiles",
                "the painted ceiling",
            ],
            ["in the old quarter|in the historic district"],
            [
                "the roof was leaking|rain came in through the roof",
                "a donor had offered the money|someone had given the funds",
            ],
        ),
        (
            "oppose",
            "-p",
            "24NI",
            "oppose/opposed|fight/fought|speak/spoke/spoken out against!",
            [
                "the tower block|the high-rise",
                "the plan for an underground car park|the underground car park",
                "the glass extension to the museum|the museum's glass extension",
            ],
            ["at the public meeting", "in the city centre|downtown"],
            [
                "it would block the light|it was going to put the street in shadow",
                "the costs were out of proportion|far too much money was involved",
            ],
        ),
        (
            "inspect",
            "pcq",
            "03",
            "inspect/inspected|examine/examined|survey/surveyed",
            [
                "the foundations+|the base of the building",
                "the steel beams+|the beams of steel+",
                "the cracked façade|the cracks in the façade+",
            ],
            ["on the building site|at the construction site"],
            [
                "the ground was sinking|the soil had begun to give way",
                "a crane had hit the wall|the wall had been struck by a crane",
            ],
        ),
    ],
    "matters": [
        "the blueprint|the drawings of the house",
        "the cracks in the ceiling",
        "the building permit|the permission to build",
        "the height of the tower|the planned size of the tower",
        "the staircase",
    ],
    "subjects": [
        "Gothic cathedrals",
        "concrete",
        "skyscrapers|very tall buildings",
        "Roman aqueducts",
        "green roofs|roofs covered with plants",
        "Bauhaus",
        "timber-framed houses|half-timbered houses",
        "social housing",
        "earthquake-proof buildings|houses that withstand earthquakes",
        "domes",
        "stained glass",
        "Japanese tea houses",
        "insulation|keeping heat inside a building",
        "suspension bridges",
        "brutalism",
        "flying buttresses",
        "Art Nouveau façades",
        "tiny houses",
        "marble columns",
        "mosque minarets",
    ],
    "opinions": [
        ("the new library building|the building of the new library", "ugly lovely dear"),
        ("the glass roof", "lovely risky dear"),
        ("the concrete bridge", "ugly safe risky"),
        ("the floor plan|the layout", "confusing clear good bad"),
        ("the spiral staircase", "lovely risky"),
        ("the renovation of the palace", "dear slow good bad"),
    ],
    "rivals": [
        "the brick house|the house made of brick",
        "the glass tower",
        "the Gothic church|the church in the Gothic style",
        "the flat roof",
        "the courtyard",
    ],
    "advice": [
        (
            "light",
            [
                "plan {x} so that it gets plenty of daylight",
                "make sure that enough daylight falls into {x}",
                "do not design {x} without thinking of natural light",
            ],
            ["the living room", "the studio", "the entrance hall|the lobby"],
        ),
        (
            "soil",
            [
                "test the ground before you build {x}",
                "never put up {x} without examining the soil first",
                "have the soil looked at before {x} is built",
            ],
            ["a tower|a high building", "a cellar", "a house on a slope|a hillside house"],
        ),
    ],
    "facts": [
        (
            "arch",
            [
                "an arch can carry more weight than {x}",
                "{x} bears less load than an arch",
                "less can be loaded on {x} than on an arch",
            ],
            ["a flat beam|a straight beam", "a simple lintel", "a thin slab"],
        ),
        (
            "wall",
            [
                "thick walls keep {x} cool in summer",
                "{x} stays cool in the heat because of its thick walls",
                "in hot weather, heavy masonry protects {x} from the heat",
            ],
            ["a castle", "a stone church|a church of stone", "an old farmhouse"],
        ),
    ],
    "counts": [
        (
            [
                "the new tower has {n} floors",
                "the new high-rise is {n} storeys tall",
                "there are {n} levels in the new tower",
            ],
            "S",
        ),
        (["the city approved {n} new flats {t}", "{n} new apartments were given the go-ahead by the city {t}"], "L"),
        (
            [
                "it took {n} years to build the cathedral",
                "the construction of the cathedral lasted {n} years",
                "the builders worked on the cathedral for {n} years",
            ],
            "L",
        ),
    ],
}

TOPICS["wildlife"] = {
    "people": [
        "the ranger|the park ranger",
        "the biologist|the zoologist",
        "the birdwatcher|the bird enthusiast",
        "the photographer",
        "the volunteers+|the helpers+",
    ],
    "scenes": [
        (
            "spot",
            "+qx",
            "0123NI",
            "spot/spotted|see/saw/seen|catch/caught sight of!",
            [
                "a brown bear",
                "a pair of eagles|two eagles+",
                "a family of otters|some otters with their young",
                "a lynx",
                "a rare owl",
            ],
            [
                "by the river|on the bank of the river",
                "at the edge of the forest|where the forest begins",
                "in the nature reserve",
            ],
            [
                "fresh tracks led the way|there were new footprints to follow",
                "the wind carried no scent|the wind blew from the right side",
            ],
        ),
        (
            "free",
            "+pcqx",
            "04",
            "free/freed|release/released|set/set~free",
            [
                "an injured hawk|a wounded hawk",
                "three young seals+",
                "a fox from a trap|a trapped fox",
                "the tagged turtles+|the turtles with the tags+",
            ],
            ["on the beach", "in the nature reserve"],
            [
                "the wounds had healed|all the injuries were cured",
                "there was enough food again|food was plentiful once more",
            ],
        ),
        (
            "hunt",
            "-x",
            "",
            "kill/killed|catch/caught|hunt/hunted down",
            ["a young deer|a fawn", "two rabbits+|a couple of rabbits+", "an old zebra", "a wild goose"],
            ["on the plain|in the open grassland", "near the waterhole|close to the waterhole"],
            ["its young were hungry|there were cubs to feed", "the winter had been long|it had been a long winter"],
            ["a wolf", "the leopard", "a hungry eagle|an eagle looking for food", "the lioness|the female lion"],
        ),
        (
            "count",
            "phcox",
            "0124",
            "count/counted|make/made a count of!",
            ["the storks+", "the elephants+", "the bats+", "the nests on the cliff+|the cliff nests+"],
            ["in the nature reserve", "from a small plane|out of a light aircraft"],
            [
                "the numbers had been falling|fewer and fewer were left",
                "the ministry wanted a report|a report had been requested by the ministry",
            ],
        ),
        (
            "scare",
            "-ax",
            "23NI",
            "scare away/scared away|frighten off/frightened off|startle/startled",
            ["the deer|the roe deer", "a flock of cranes", "the badger"],
            ["at the edge of the forest|where the forest begins", "in the marsh|in the wetland"],
            ["a twig snapped|there was the crack of a twig", "a phone began to ring|a mobile went off"],
        ),
    ],
    "matters": [
        "the wolf tracks|the footprints of the wolves",
        "the bird count|the count of the birds",
        "the illegal traps|the traps set by poachers",
        "the orphaned cubs|the cubs without a mother",
        "the nesting boxes",
    ],
    "subjects": [
        "bats",
        "the migration of cranes|the travels of cranes",
        "snow leopards",
        "coral reefs",
        "poachers|illegal hunters",
        "whale songs|the singing of whales",
        "beavers",
        "endangered frogs|frogs threatened with extinction",
        "hibernation|the winter sleep of animals",
        "wolves in Europe",
        "venomous snakes",
        "ant colonies",
        "penguins",
        "the dodo",
        "camouflage",
        "elephant herds",
        "invasive crabs",
        "mountain gorillas",
        "hedgehogs",
        "butterflies",
    ],
    "opinions": [
        ("the safari", "gripping dull dear risky"),
        ("the zoo", "bad good dull dear"),
        ("the plumage of the kingfisher|the kingfisher's feathers+", "lovely"),
        ("the snake", "ugly lovely risky safe"),
        ("the film about wolves", "dull gripping good"),
        ("the ban on hunting|the hunting ban", "fair unfair useless useful"),
    ],
    "rivals": [
        "the bird reserve|the reserve for birds",
        "the reptile house",
        "the whale-watching trip|the trip to see the whales",
        "the otters+",
        "the parrots+",
    ],
    "advice": [
        (
            "distance",
            ["keep your distance from {x}", "do not go anywhere near {x}", "stay well away if you meet {x}"],
            ["a mother bear|a bear with cubs", "wild boar", "a nesting swan"],
        ),
        (
            "feed",
            ["do not feed {x}", "never give any food to {x}", "leave {x} to find their own food"],
            ["the foxes", "the monkeys", "wild ducks"],
        ),
        (
            "quiet",
            [
                "be quiet if you want to watch {x}",
                "make no noise while you observe {x}",
                "whoever wants to see {x} must not make a sound",
            ],
            ["deer", "beavers", "shy birds|timid birds"],
        ),
    ],
    "facts": [
        (
            "winter",
            [
                "{x} fly south for the winter",
                "when it gets cold, {x} leave for warmer lands",
                "{x} spend the cold months in the south",
            ],
            ["storks", "swallows", "wild geese"],
        ),
        (
            "night",
            ["{x} hunt at night", "{x} look for prey after dark", "it is during the night that {x} go hunting"],
            ["owls", "bats", "leopards"],
        ),
    ],
    "counts": [
        (["the biologists counted {n} storks {t}", "{n} storks were recorded by the biologists {t}"], "L"),
        (
            [
                "there are still {n} of these tigers in the wild",
                "{n} of these tigers still live in freedom",
                "the wild population of these tigers stands at {n}",
            ],
            "L",
        ),
        (["the wolf pack has {n} members", "{n} animals belong to the wolf pack"], "S"),
    ],
}
