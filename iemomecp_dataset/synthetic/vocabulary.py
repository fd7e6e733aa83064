"""Vocabulary of the synthetic dialogues: topics, clauses and emotions, all written for this project.

``{w}`` is replaced by a word of the topic, ``{r}`` by a reference to the event that the speaker reacts to.
"""

from __future__ import annotations

__all__ = [
    "AMBIGUOUS_REACTIONS",
    "BACKGROUNDS",
    "BRIDGES",
    "DEICTIC_REFERENCES",
    "EMOTION_POLARITY",
    "EVENTS",
    "FILLERS",
    "INTERJECTIONS",
    "MELD_REACTIONS",
    "NEUTRAL_QUESTIONS",
    "OPENERS",
    "REACTIONS",
    "REFERENCES",
    "TOPICS",
]

TOPICS = (
    ("flat", "lease", "deposit"),
    ("exam", "essay", "diploma"),
    ("wedding", "bouquet", "veil"),
    ("garden", "rosebush", "fence"),
    ("car", "engine", "bumper"),
    ("kennel", "leash", "collar"),
    ("concert", "stage", "encore"),
    ("promotion", "contract", "bonus"),
    ("flight", "suitcase", "runway"),
    ("bakery", "oven", "dough"),
    ("clinic", "operation", "bandage"),
    ("kitchen", "sink", "dishwasher"),
    ("novel", "chapter", "bookshop"),
    ("match", "stadium", "trophy"),
    ("bicycle", "helmet", "pedal"),
    ("sailboat", "harbour", "anchor"),
    ("gallery", "painting", "sculpture"),
    ("phone", "charger", "antenna"),
    ("cabin", "chimney", "firewood"),
    ("recital", "violin", "orchestra"),
    ("loan", "mortgage", "savings"),
    ("tent", "campsite", "lantern"),
    ("election", "petition", "ballot"),
    ("rehearsal", "costume", "curtain"),
    ("train", "station", "ticket"),
    ("tractor", "harvest", "barn"),
    ("cellar", "ladder", "workbench"),
    ("laptop", "password", "keyboard"),
    ("restaurant", "dessert", "menu"),
    ("raffle", "voucher", "hamper"),
    ("library", "archive", "manuscript"),
    ("passport", "visa", "embassy"),
    ("beach", "surfboard", "parasol"),
    ("kitten", "basket", "scratching post"),
    ("necklace", "bracelet", "locket"),
    ("museum", "fossil", "exhibit"),
)
"""Words of each topic."""

EVENTS = {
    "negative": (
        "they cancelled the {w}",
        "somebody stole the {w} last night",
        "the {w} fell apart this morning",
        "the storm ruined the {w}",
        "they shut down the {w} for good",
        "the {w} was taken away from us",
        "the {w} caught fire",
        "the {w} has gone missing",
        "they turned us down for the {w}",
        "my brother broke the {w}",
        "they sold the {w} without asking",
        "water got into the {w} and destroyed it",
        "I lost the {w} on Tuesday",
        "the {w} collapsed in front of everybody",
    ),
    "positive": (
        "they saved the {w} at the last minute",
        "we won the {w}",
        "the {w} turned out perfectly",
        "they gave us the {w} for free",
        "the {w} got approved today",
        "someone brought the {w} back this morning",
        "they finished the {w} a week early",
        "we were picked for the {w} out of hundreds",
        "they repaired the {w} overnight",
        "grandmother left us the {w}",
        "the {w} finally arrived",
        "I managed the {w} at the first try",
    ),
}
"""Clauses that report an event, by polarity; the causes of emotions."""

OPENERS = (
    "guess what,",
    "you will not believe this,",
    "I just heard,",
    "listen,",
    "they called me,",
    "so it turns out",
    "since this morning it is official,",
    "well,",
    "my sister told me",
    "",
    "",
    "",
)

BACKGROUNDS = (
    "the {w} has been around for years",
    "my uncle used to talk about the {w}",
    "we usually see to the {w} on Sundays",
    "the {w} is the one near the river",
    "there was a {w} like that in my home town",
    "most people here know the {w}",
    "the {w} belongs to the house next to the bridge",
    "normally the {w} does not cost much",
    "in spring the {w} is always busy",
    "you remember the {w} from the old days",
    "the {w} was always meant for both of us",
    "everyone in the family has had a share in the {w}",
)
"""Clauses that describe a topic without an event."""

BRIDGES = (
    "coming back to the {w}",
    "you mentioned the {w} before",
    "where were we with the {w}",
    "speaking of the {w}",
    "as I said about the {w}",
    "you were telling me about the {w}",
)
"""Clauses that lead back to a topic."""

EMOTION_POLARITY = {"hap": "positive", "exc": "positive", "sad": "negative", "ang": "negative", "fru": "negative"}

REACTIONS = {
    "hap": (
        "I am so happy {r}",
        "it warms my heart {r}",
        "what a lovely feeling {r}",
        "I cannot stop smiling {r}",
        "I am really grateful {r}",
        "it makes me feel good {r}",
        "I am glad deep down {r}",
        "how sweet {r}",
    ),
    "exc": (
        "oh wow I am thrilled {r}",
        "I could jump up and down {r}",
        "yes yes yes {r}",
        "this is amazing {r}",
        "I cannot wait {r}",
        "my heart is racing {r}",
        "incredible, simply incredible {r}",
        "I have goosebumps {r}",
    ),
    "sad": (
        "I feel like crying {r}",
        "it breaks my heart {r}",
        "I am so sorry {r}",
        "I feel empty {r}",
        "it hurts so much {r}",
        "I miss how it was {r}",
        "I have been in tears {r}",
        "I feel so alone {r}",
    ),
    "ang": (
        "I am furious {r}",
        "it makes my blood boil {r}",
        "how dare they {r}",
        "I could scream {r}",
        "I am absolutely livid {r}",
        "they have some nerve {r}",
        "this is outrageous {r}",
        "I hate them {r}",
    ),
    "fru": (
        "I am so fed up {r}",
        "it is driving me crazy {r}",
        "not again, I am sick of it {r}",
        "I cannot take any more {r}",
        "I am at the end of my rope {r}",
        "why does nothing ever work {r}",
        "it is so annoying {r}",
        "for heaven's sake {r}",
    ),
}
"""Clauses that express an emotion."""

MELD_REACTIONS = {
    "surprise": (
        "wait, really {r}",
        "I never expected that {r}",
        "no way, you are joking {r}",
        "I am completely stunned {r}",
        "where did that come from {r}",
        "are you serious {r}",
    ),
    "fear": (
        "I am scared {r}",
        "my hands are shaking {r}",
        "I dread what comes next {r}",
        "please do not leave me alone {r}",
        "I am terrified {r}",
        "what if something happens {r}",
    ),
    "sadness": REACTIONS["sad"],
    "joy": REACTIONS["hap"] + REACTIONS["exc"],
    "disgust": (
        "that is revolting {r}",
        "it makes my stomach turn {r}",
        "how disgusting {r}",
        "I cannot even look at it {r}",
        "it is filthy, simply filthy {r}",
        "I feel sick {r}",
    ),
    "anger": REACTIONS["ang"],
}
"""Clauses that express an emotion of MELD."""

AMBIGUOUS_REACTIONS = (
    "so that is how it stands {r}",
    "I keep thinking {r}",
    "there is not much to say {r}",
    "I suppose I should call them {r}",
    "what can you do {r}",
    "let me sit down for a moment {r}",
    "I did not see it coming {r}",
    "I really do not know what to say {r}",
)
"""Clauses that emotional and neutral speakers use alike; only audio and video distinguish them."""

REFERENCES = (
    "about the {w}",
    "because of the {w}",
    "over the {w}",
    "when I think of the {w}",
    "with the {w}",
    "hearing about the {w}",
)

DEICTIC_REFERENCES = ("about that", "because of this", "", "", "when I hear that", "right now")

INTERJECTIONS = ("oh,", "look,", "you know,", "honestly,", "hm,", "well,", "right,", "", "", "", "", "")

FILLERS = (
    "okay, go on",
    "what time is it now",
    "could you pass me the pen",
    "yes, I think so",
    "let me write that down",
    "I will be there at eight",
    "the meeting is on the second floor",
    "do you take sugar",
    "it is raining outside",
    "we should leave in an hour",
    "I see",
    "one moment, please",
    "that is the same one as yesterday",
    "he lives around the corner",
    "is this seat taken",
    "you can put your coat over there",
    "mm, sure",
    "I have to check the calendar",
    "which form do I need",
    "the number is on the back",
)
"""Neutral clauses without a topic."""

NEUTRAL_QUESTIONS = (
    "what did they say about the {w}",
    "did you write down the {w}",
    "who is looking after the {w}",
    "and when is the {w}",
)
