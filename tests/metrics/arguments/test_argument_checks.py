"""Every argument of every score, replaced by what does not belong there: scores, or an error of ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.calibration import brier_score, expected_calibration_error, reliability_table
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores
from iemomecp_dataset.metrics.roles import binary_counts_scores, context_error_directions, source_binary_remaps
from iemomecp_dataset.metrics.scoring import pair_scores, scores_from_confusion
from iemomecp_dataset.metrics.set_scores import pair_set
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals, paired_bootstrap
from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts
from iemomecp_dataset.metrics.significance.permutation import permutation_test
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.metrics.turn_scores import turn_set_scores

ROWS, LABELS, NAMES = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]], [0, 1, 0], ["pair", "non_pair"]
DIALOGUES, TARGETS, CAUSES, FLAGS = ["a", "a", "b"], [1, 2, 1], [1, 1, 1], [True, False, True]
TEXTS, REFERENCES = ["It rains.", "", "A clown fell."], ["It rains again.", "Her train was late.", "The clown fell."]
COUNTS = candidate_unit_counts([ROWS], LABELS, DIALOGUES, NAMES)[0]


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def hostile() -> dict[str, Any]:
    """What users and programs have passed, by what it is."""
    import torch

    return {
        "None": None,
        "text": "0.5",
        "empty text": "",
        "bytes": b"0.5",
        "NaN": float("nan"),
        "infinity": float("inf"),
        "negative": -1,
        "true": True,
        "complex": 1j,
        "huge": 10**400,
        "very huge": 10**5000,
        "half": 0.5,
        "two": 2.0,
        "date": datetime(2026, 1, 1),
        "object": object(),
        "broken": Broken(),
        "function": len,
        "type": int,
        "generator": (x for x in [0, 1, 0]),
        "set": {0, 1},
        "dict": {"a": 1},
        "range": range(3),
        "empty": [],
        "one": [0],
        "texts": ["0", "1", "0"],
        "words": ["pair", "non_pair", "pair"],
        "Nones": [None] * 3,
        "some None": [0, None, 1],
        "NaNs": [0.5, float("nan"), 0.5],
        "infinities": [0.0, float("inf"), 0.5],
        "truth values": [True, False, True],
        "among numbers": [0, True, 1],
        "complexes": [1j, 0j, 1j],
        "huge ints": [10**400, 0, 1],
        "unsigned": np.array([2**64 - 1, 0, 1], np.uint64),
        "negatives": [-1, 0, 1],
        "large": [2**62, 2**62 + 1, 2**62 + 2],
        "ragged": [[0.5, 0.5], [1.0], [0.5, 0.5]],
        "nested": [[[0.5, 0.5]]] * 3,
        "2-d ints": [[0, 1], [1, 0], [0, 1]],
        "2-d texts": [["a", "b"]] * 3,
        "mixed": [0, "a", [1]],
        "deep": [[[[]]]],
        "0-d": np.array(0.5),
        "0-d text": np.array("x"),
        "scalar": np.float32(0.5),
        "objects": np.array([0, None, "x"], object),
        "structured": np.zeros(3, [("a", int)]),
        "dates": np.array(["2026-01-01"] * 3, "datetime64[D]"),
        "durations": np.array([0, 1, 0], "timedelta64[s]"),
        "masked": np.ma.masked_array([0, 1, 0], [0, 1, 0]),
        "series": pd.Series([0, 1, 0]),
        "gaps": pd.Series([0, None, 1], dtype="Int64"),
        "categories": pd.Series(["a", "b", "a"], dtype="category"),
        "frame": pd.DataFrame({"x": [0, 1, 0]}),
        "arrow": pa.array([0, 1, None]),
        "arrow texts": pa.array(["a", "b", None]),
        "arrow lists": pa.array([[0.5, 0.5], None, [1.0]]),
        "scalar of arrow": pa.scalar(1),
        "tensor": torch.tensor([0, 1, 0]),
        "gradients": torch.tensor([0.5, 0.5, 0.5], requires_grad=True),
        "0-d tensor": torch.tensor(0.5),
        "sparse": torch.eye(3).to_sparse(),
        "meta": torch.zeros(3, device="meta"),
        "list of tensors": [torch.tensor(0.5)] * 3,
        "lone surrogates": ["\ud800", "b", "c"],
        "long": ["x" * 10**5] * 3,
        "zeros": "\0",
        "names": ["a\0", "b", "c"],
    }


CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "pair_scores": (
        pair_scores,
        {"probabilities": ROWS, "labels": LABELS, "class_names": NAMES, "threshold": 0.5, "missed_positives": 1},
    ),
    "pair_scores of ids": (
        pair_scores,
        {"probabilities": LABELS, "labels": LABELS, "class_names": NAMES, "missed_positives": 1},
    ),
    "scores_from_confusion": (
        scores_from_confusion,
        {"confusion": [[1, 1], [0, 1]], "class_names": NAMES, "missed_positives": 1},
    ),
    "emotion_scores": (
        emotion_scores,
        {"probabilities": ROWS, "labels": LABELS, "class_names": ["neutral", "joy"], "neutral": 0},
    ),
    "explanation_scores": (
        explanation_scores,
        {"predictions": TEXTS, "references": REFERENCES, "tokenizer": "ptb", "meteor": False},
    ),
    "best_threshold": (best_threshold, {"probabilities": ROWS, "labels": LABELS, "missed_positives": 1}),
    "brier_score": (brier_score, {"confidences": [0.5, 0.1, 0.9], "positive": FLAGS}),
    "expected_calibration_error": (
        expected_calibration_error,
        {"confidences": [0.5, 0.1, 0.9], "positive": FLAGS, "n_bins": 2},
    ),
    "reliability_table": (reliability_table, {"confidences": [0.5, 0.1, 0.9], "positive": FLAGS, "n_bins": 2}),
    "shift_scores": (
        shift_scores,
        {
            "predicted": LABELS,
            "labels": LABELS,
            "dialogue_ids": DIALOGUES,
            "turns": [1, 2, 1],
            "speakers": ["A", "B", "A"],
        },
    ),
    "cause_ranking_scores": (
        cause_ranking_scores,
        {
            "confidences": [0.5, 0.1, 0.9],
            "positive": FLAGS,
            "dialogue_ids": DIALOGUES,
            "target_turns": TARGETS,
            "recall_at": (1, 3),
        },
    ),
    "confidence_gap_scores": (
        confidence_gap_scores,
        {
            "confidences": [0.5, 0.1, 0.9],
            "positive": FLAGS,
            "dialogue_ids": DIALOGUES,
            "target_turns": TARGETS,
            "margin": 0.05,
            "top_k": 2,
        },
    ),
    "turn_set_scores": (
        turn_set_scores,
        {
            "predicted": LABELS,
            "labels": LABELS,
            "dialogue_ids": DIALOGUES,
            "target_turns": TARGETS,
            "cause_turns": CAUSES,
            "emotional_targets": FLAGS,
            "has_context": False,
        },
    ),
    "source_binary_remaps": (
        source_binary_remaps,
        {"predicted_roles": [0, 1, 2], "source_pairs": FLAGS, "binary_trained_f1": 0.5},
    ),
    "binary_counts_scores": (binary_counts_scores, {"tp": 1, "fp": 2, "fn": 3, "tn": 4}),
    "context_error_directions": (context_error_directions, {"confusion": [[5, 1, 4], [1, 2, 5], [0, 0, 9]]}),
    "pair_set": (
        pair_set,
        {
            "dialogue_ids": DIALOGUES,
            "target_turns": TARGETS,
            "cause_turns": CAUSES,
            "emotions": ["joy", "joy", "anger"],
        },
    ),
    "candidate_unit_counts": (
        candidate_unit_counts,
        {
            "systems": [ROWS],
            "labels": LABELS,
            "units": DIALOGUES,
            "class_names": NAMES,
            "thresholds": [0.5],
            "decisions": [LABELS],
            "missed_positives": 1,
        },
    ),
    "emotion_unit_counts": (
        emotion_unit_counts,
        {
            "systems": [ROWS],
            "labels": LABELS,
            "dialogue_ids": DIALOGUES,
            "class_names": ["neutral", "joy"],
            "neutral": "neutral",
        },
    ),
    "explanation_unit_counts": (
        explanation_unit_counts,
        {
            "systems": [TEXTS],
            "references": REFERENCES,
            "dialogue_ids": DIALOGUES,
            "tokenizer": "raw",
            "item_scores": [{"x": [1.0, 2.0, 3.0]}],
        },
    ),
    "bootstrap_intervals": (bootstrap_intervals, {"runs": COUNTS, "n_resamples": 20, "confidence": 0.9, "seed": 0}),
    "paired_bootstrap": (
        paired_bootstrap,
        {"first": COUNTS, "second": [COUNTS], "n_resamples": 20, "confidence": 0.9, "seed": 0},
    ),
    "permutation_test": (permutation_test, {"first": COUNTS, "second": [COUNTS], "n_permutations": 20, "seed": 0}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_scored_or_refused_by_us(name: str) -> None:
    function, arguments = CALLS[name]
    function(**arguments)
    escaped = []
    refused = 0
    for argument in arguments:
        for what, value in hostile().items():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(**{**arguments, argument: value})
            except IemomecpError as error:
                refused += 1
                if len(str(error)) > 1000:
                    escaped.append(f"{argument}={what}: a message of {len(str(error))} characters")
            except Exception as error:
                escaped.append(f"{argument}={what}: {type(error).__name__}: {str(error)[:80]}")
    assert not escaped, "\n".join(escaped)
    assert refused > 20
