"""Invented conversations with invented predictions, for whatever shows or writes them."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

__all__ = ["HOSTILE", "hostile", "long_one", "office", "plain"]

OFFICE = (
    ("Mira", "The landlord called again this morning."),
    ("Jonas", "About the heating?"),
    ("Mira", "No. He sold the house, and the new owner wants us out by the end of March."),
    ("Jonas", "What? He promised that we could stay until the baby is born!"),
    (
        "Mira",
        "I know what he promised. I wrote down every word of it, with the date and the time, because I had a feeling "
        "that one day somebody would have to read it aloud in front of people who were not there, and that it would "
        "be me who has to do it.",
    ),
    ("Jonas", "I am so angry that I could call him right now."),
    ("Mira", "Please don't. My sister is a lawyer, and she says that the contract protects us."),
    ("Jonas", "Really? Since when do you know that?"),
    ("Mira", "Since ten minutes ago. I wanted to tell you the bad part first."),
    ("Jonas", "You are unbelievable. I nearly packed the kitchen in my head."),
    ("Mira", "So we stay. And I'm not even going to apologise for the suspense."),
    ("Jonas", "Come here. I have not been this relieved in a year."),
)
DECIDED = {(4, 3): 0.91, (5, 3): 0.42, (6, 3): 0.77, (6, 4): 0.31, (6, 6): 0.22, (8, 7): 0.55, (10, 9): 0.83,
           (11, 7): 0.48, (12, 7): 0.88, (12, 11): 0.64, (3, 3): 0.58}  # fmt: skip
CONTEXT = {(4, 1): 0.62, (12, 9): 0.57, (6, 5): 0.35}
CATEGORIES = ("neutral", "joy", "sadness", "anger", "surprise", "fear")
FELT = {3: ("sadness", 0.71), 4: ("surprise", 0.94), 5: ("sadness", 0.56), 6: ("anger", 0.98), 8: ("surprise", 0.66),
        10: ("joy", 0.71), 11: ("joy", 0.63), 12: ("joy", 0.97)}  # fmt: skip


def office(*, n_classes: int = 3, emotions: bool = True, synthetic: bool = False) -> PredictedConversation:
    """Twelve turns of two people, every pair with a cause that is not later a candidate."""
    targets, causes = np.array([(t, c) for t in range(1, 13) for c in range(1, t + 1)]).T
    rows = []
    for pair in zip(targets.tolist(), causes.tolist(), strict=True):
        cause, context = DECIDED.get(pair, 0.03 / (1 + pair[0] - pair[1])), CONTEXT.get(pair, 0.01)
        if n_classes == 2:
            cause, context = cause + context, 0.0
        rows.append([cause, context, 1 - cause - context] if n_classes == 3 else [cause, 1 - cause])
    felt = np.array([[FELT.get(turn, ("neutral", 0.08))[1]] for turn in range(1, 13)])
    categories = np.full((12, len(CATEGORIES)), 0.04)
    for turn in range(1, 13):
        categories[turn - 1, CATEGORIES.index(FELT.get(turn, ("neutral", 0.08))[0])] += 0.76
    return PredictedConversation(
        Conversation("office", tuple(ConversationUtterance(*line) for line in OFFICE), "text"),
        ("emo_cause", "emo_context", "non_pair") if n_classes == 3 else ("pair", "non_pair"),
        targets,
        causes,
        np.array(rows),
        DecisionRule("threshold", 0.285) if n_classes == 2 else DecisionRule(),
        "runs/x",
        felt[:, 0] if emotions else None,
        CATEGORIES if emotions else (),
        categories if emotions else None,
        synthetic=synthetic,
    )


def plain(
    name: str, lines: list[tuple[str, str]], probabilities: dict[tuple[int, int], float]
) -> PredictedConversation:
    """Two classes without emotions: the pairs that are given, and 0 for every other with a cause not later."""
    n = len(lines)
    targets, causes = np.array([(t, c) for t in range(1, n + 1) for c in range(1, t + 1)]).T
    values = np.array([probabilities.get(p, 0.0) for p in zip(targets.tolist(), causes.tolist(), strict=True)])
    return PredictedConversation(
        Conversation(name, tuple(ConversationUtterance(*line) for line in lines), "text"),
        ("pair", "non_pair"),
        targets,
        causes,
        np.stack([values, 1 - values], axis=1),
        DecisionRule(),
        "runs/x",
    )


def long_one(n: int = 200, seed: int = 0) -> PredictedConversation:
    """Many turns, every pair a candidate, pairs near the diagonal probable; three speakers."""
    rng = np.random.default_rng(seed)
    targets, causes = np.array([(t, c) for t in range(1, n + 1) for c in range(1, n + 1)]).T
    distance = targets - causes
    feeling = rng.random(n + 1) < 0.35
    cause = np.where(
        feeling[targets] & (distance >= 0) & (distance < 8),
        rng.beta(0.6, 1.2, len(targets)) * np.exp(-0.3 * np.maximum(distance, 0)),
        rng.random(len(targets)) * 0.02,
    )
    context = np.minimum(rng.random(len(targets)) * 0.4 * (cause > 0.03), 1 - cause)
    words = ["well", "then", "nobody", "ever", "told", "me", "that", "the", "train", "leaves", "before", "noon"]
    lines = [
        ConversationUtterance(
            ("Ana", "Ben", "Chandrasekhar Venkataraman")[int(rng.integers(3))],
            " ".join(rng.choice(words, int(rng.integers(2, 40)))),
        )
        for _ in range(n)
    ]
    felt = np.where(feeling[1:], 0.5 + rng.random(n) / 2, rng.random(n) / 2)
    categories = rng.dirichlet(np.ones(len(CATEGORIES)), n)
    return PredictedConversation(
        Conversation(f"{n} turns", tuple(lines), "text"),
        ("emo_cause", "emo_context", "non_pair"),
        targets,
        causes,
        np.stack([cause, context, 1 - cause - context], axis=1),
        DecisionRule("threshold", 0.3, "user"),
        "runs/long",
        felt,
        CATEGORIES,
        categories,
        notes=("The conversation is longer than the model has seen: it was read in windows of 50 turns.",),
    )


HOSTILE = (
    "</script></title></svg><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
)
"""Markup that would run if it were not escaped."""


def hostile() -> PredictedConversation:
    """Markup, quotes, control characters, bidirectional marks and words without a blank in every text of a user."""
    lines = [
        (HOSTILE, f"{HOSTILE} & \"quoted\" 'single' ${{1+1}} {{{{x}}}}"),
        ("Ana\x1b[31m\x00", "\x1b]0;title\x07 \u202eright to left \ud800 [bold red]rich[/] " + "x" * 300),
        ("مريم", "لماذا لم تخبرني؟"),
        ("李雷", "我们错过了最后一班火车,现在只能走回去了。"),
    ]
    return plain(f"{HOSTILE}\x08", lines, {(2, 1): 0.9, (3, 1): 0.7, (4, 4): 0.6})
