"""Structural rows of explanations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from explanation_cases import explanation_corpus

from iemomecp_dataset.benchmark.baselines.explanation_rows import (
    explanation_systems,
    medoid,
    opening_of,
    speaker_genders,
)
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.explanation_table import explanation_table


def dialogue(name: str, *lines: tuple[str, str, int, str, tuple[int, ...]]) -> dict[str, Any]:
    """Lines of speaker, words, emotion, explanation (empty: none) and gold cause turns."""
    return {
        "dialogue_id": name,
        "utterances": [
            {"turn": turn, "speaker": who, "text": text, "emotion": emotion}
            for turn, (who, text, emotion, *_) in enumerate(lines, start=1)
        ],
        "explanations": [
            {"target_turn": turn, "text": explanation, "status": 0, "cause_turns": list(causes)}
            for turn, (*_, explanation, causes) in enumerate(lines, start=1)
            if explanation
        ],
        "pairs": [],
    }


TRAIN = [
    dialogue(
        "train_dia0",
        ("Ann", "My cat is back!", 1, "The reason why she is glad is that her cat is back.", ()),
        ("Ben", "We won the cup!", 1, "The reason why he is glad is that they won.", ()),
        ("Ann", "I got the job!", 1, "The reason why she is glad is that she got a job.", ()),
        ("Ann", "What a job, no!", 2, "The reason why she is angry is that her work is bad.", ()),
    )
]
TEST = [
    dialogue(
        "test_dia0",
        ("Ann", "The job is mine!", 1, "She has work.", (1,)),
        ("Ben", "How nice.", 1, "He is glad for her.", (1,)),
        ("Cy", "The cat!", 1, "He likes cats.", ()),
    )
]
OPENING = {who: f"The reason why {who} is glad is that" for who in ("she", "he")}


def texts_of(corpus: Any, **options: Any) -> dict[str, list[str]]:
    """Texts on test by key."""
    return {system.key: system.predictions.get("test", []) for system in explanation_systems(corpus, **options)}


def test_rows_depend_on_emotion_gender_and_the_copied_utterance() -> None:
    corpus = explanation_corpus(rows={"train": TRAIN, "test": TEST})
    found = texts_of(corpus, predicted_causes={"test": [(), (2,), (1, 2)]})
    # Cy's gender is not known, so his group is the whole emotion.
    she, he = OPENING["she"], OPENING["he"]
    assert found["frame"] == [she, he, she]
    assert found["medoid"][1] == "The reason why he is glad is that they won."
    assert found["retrieval"] == [
        "The reason why she is glad is that she got a job.",
        "The reason why he is glad is that they won.",
        "The reason why she is glad is that her cat is back.",
    ]
    assert found["frame_target"] == [f"{she} The job is mine!", f"{he} How nice.", f"{she} The cat!"]
    # Without a turn before, or a cause, the target stands there.
    assert found["frame_previous"] == [
        f"{she} The job is mine!", f"{he} Ann said The job is mine!", f"{she} Ben said How nice."
    ]  # fmt: skip
    assert found["frame_gold_cause"] == [
        f"{she} The job is mine!",
        f"{he} Ann said The job is mine!",
        f"{she} The cat!",
    ]
    assert found["frame_cause"] == [f"{she} The job is mine!", f"{he} How nice.", f"{she} Ben said How nice."]
    glad = {reference for reference in explanation_table(TRAIN).references if "glad" in reference}
    assert set(found["random"]) <= glad
    assert found["random"][1] == found["medoid"][1]


def test_descriptions_count_the_items_without_a_cause_and_state_why_a_row_is_missing() -> None:
    described = {
        system.key: system for system in explanation_systems(explanation_corpus(rows={"train": TRAIN, "test": TEST}))
    }
    assert "have no gold cause turn (1 of 3 on test)" in described["frame_gold_cause"].description
    assert "(1 of 3 on test)" in described["frame_previous"].description
    assert not described["frame_cause"].predictions
    assert described["frame_cause"].description.startswith("Not built")
    for rows, keys in (
        ({"test": TEST}, set(described)),
        (
            {"train": [dialogue("d", ("A", "No!", 1, "It rains.", ()))], "test": TEST},
            {key for key in described if "frame" in key},
        ),
    ):
        systems = explanation_systems(explanation_corpus(rows=rows))
        assert {system.key for system in systems if not system.predictions} == keys
        assert all(system.description.startswith("Not built") for system in systems if not system.predictions)


def test_rows_are_the_same_each_time_and_never_use_a_reference_of_the_split() -> None:
    corpus = explanation_corpus()
    other = [
        {**row, "explanations": [{**one, "text": "Something else."} for one in row["explanations"]]}
        for row in corpus.rows["test"]
    ]
    assert texts_of(corpus) == texts_of(replace(corpus, rows={**corpus.rows, "test": other}))


def test_predicted_causes_of_other_items_are_refused() -> None:
    with pytest.raises(MetricInputError, match="for 2 explanations, but test has 3"):
        explanation_systems(
            explanation_corpus(rows={"train": TRAIN, "test": TEST}), predicted_causes={"test": [(1,), ()]}
        )


def common(a: list[int], b: list[int]) -> int:
    """Length of the longest common subsequence, by the book."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if one == other else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


@pytest.mark.parametrize("seed", range(5))
def test_the_medoid_is_that_of_the_plain_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [rng.integers(0, 9, size=rng.integers(0, 15)).tolist() for _ in range(25)]

    def rouge(candidate: list[int], reference: list[int]) -> float:
        length = common(candidate, reference)
        if not length:
            return 0.0
        precision, recall = length / len(candidate), length / len(reference)
        return 2.44 * precision * recall / (recall + 1.44 * precision)

    totals = [sum(rouge(c, r) for j, r in enumerate(texts) if j != i) for i, c in enumerate(texts)]
    assert totals[medoid(texts)] == pytest.approx(max(totals))


def test_genders_follow_the_pronouns_of_most_explanations() -> None:
    rows = [
        dialogue(
            "d",
            ("Ann", "x", 1, "The reason why she is glad is that he came.", ()),
            ("Ann", "x", 1, "He is glad.", ()),
            ("Ann", "x", 1, "She is glad.", ()),
            ("Ben", "x", 1, "The reason for his joy is that she came.", ()),
            ("Cy", "x", 1, "He is glad.", ()),
            ("Cy", "x", 1, "She is glad.", ()),
            ("", "x", 1, "She is glad.", ()),
        )
    ]
    assert speaker_genders(explanation_table(rows)) == {"Ann": "female", "Ben": "male"}


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ('"The reason why Ann is glad is that he came.', "The reason why X is glad is that"),
        ("She is glad because he came that day.", "She is glad because"),
        ("Because of that, Ann left.", ""),  # too early to be an opening
        ("a b c d e f g h i j k that", ""),  # too late
    ],
)
def test_openings_end_where_content_begins(text: str, opening: str) -> None:
    assert opening_of(text, "Ann", "X") == opening
