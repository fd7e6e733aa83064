"""Whatever does the same job is held to the same case: metrics, losses, scorers, corpora and readers."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from iemomecp_dataset.options import CONFIG_NAMES
from iemomecp_dataset.trainers.scorers import scorer_names

REPOSITORY = Path(__file__).resolve().parents[1]

# What looks like one and is none, or is tested through another.
NOT_A_METRIC = {
    "average_precision": "a part of pair_scores, which takes gold flags that it has checked",
    "check_gold_flags": "a check",
    "check_pair_inputs": "a check",
    "confusion_matrix": "a part of pair_scores, of class ids that it has checked",
    "emotion_scores": "scores utterances, with neither pairs nor a positive class; see test_emotion_scoring.py",
    "gold_fingerprint": "a hash of the gold",
    "reliability_table": "the bins of expected_calibration_error, which is computed from them",
    "rows_by_confidence": "the order that cause_ranking_scores and confidence_gap_scores count in",
    "shift_scores": "takes decisions and speakers; compared with a loop in test_emotion_shifts.py",
}
NOT_A_LOSS = {
    "corrupt_context": "changes the inputs",
    "emotion_loss": "of utterances, not of pairs; compared with its formula in test_objectives.py",
    "pooled_here": "a quotient",
}
NOT_A_READER = {
    "read_ecpec_tuple": "the pickle that read_ecpec checks",
    "read_emotion_predictions": "a table by columns, of which every damage is tested in emotions/test_predictions.py",
    "read_ecem": "joins files of three corpora, each with a reader of its own; its own file is read by read_items",
    "read_explanation_predictions": "a table by columns, of which every damage is tested in "
    "explanations/test_predictions.py",
    "read_restricted_pickle": "what read_ecpec reads it with",
    "read_shard": "a part of a feature store, of which every single damage is tested",
}


def public_functions(pattern: str) -> Iterator[ast.FunctionDef]:
    """The functions in ``__all__`` of some modules."""
    for path in REPOSITORY.glob(pattern):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        listed: set[str] = set()
        for node in body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = set(ast.literal_eval(node.value))
        yield from (node for node in body if isinstance(node, ast.FunctionDef) and node.name in listed)


def parameters(function: ast.FunctionDef) -> list[str]:
    """Names of a function's parameters."""
    return [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]


@functools.cache
def case_classes() -> tuple[tuple[str, frozenset[str], dict[str, str]], ...]:
    """Of every class of a test file that has a case among its bases: its name, those, and ``of`` and ``name``."""
    found = []
    for path in (REPOSITORY / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "Case" not in text:
            continue
        bases: dict[str, frozenset[str]] = {"PublishedCorpusCase": frozenset({"CorpusCase"})}
        attributes: dict[str, dict[str, str]] = {}
        for node in ast.parse(text).body:
            if not isinstance(node, ast.ClassDef):
                continue
            above = [ast.unparse(base) for base in node.bases]
            bases[node.name] = frozenset(above).union(*(bases.get(base, frozenset()) for base in above))
            attributes[node.name] = {}
            for base in above:
                attributes[node.name] |= attributes.get(base, {})
            for entry in node.body:
                if isinstance(entry, ast.Assign) and ast.unparse(entry.targets[0]) in ("of", "name"):
                    attributes[node.name][ast.unparse(entry.targets[0])] = ast.unparse(entry.value).strip("'")
            if path.name.startswith("test_") and any(base.endswith("Case") for base in bases[node.name]):
                found.append((node.name, bases[node.name], attributes[node.name]))
    return tuple(found)


def held_to(case: str, attribute: str) -> set[str]:
    """What the subclasses of a case are of."""
    return {attributes[attribute] for _, bases, attributes in case_classes() if case in bases}


def metrics() -> set[str]:
    """Functions that take what is gold, pair by pair."""
    return {f.name for f in public_functions("metrics/*.py") if {"labels", "positive"} & set(parameters(f))}


def losses() -> set[str]:
    """Functions that give one tensor."""
    return {
        function.name
        for function in public_functions("trainers/objectives.py")
        if function.returns is not None and ast.unparse(function.returns) == "Tensor"
    }


def readers() -> set[str]:
    """Functions that read a file of a format of its own."""
    rooms = ("corpora", "overlay", "sources", "features/store")
    patterns = [f"iemomecp_dataset/{room}/*.py" for room in rooms] + [
        "metrics/evaluation/*.py",
        "metrics/evaluation/*/*.py",
    ]
    functions = [function for pattern in patterns for function in public_functions(pattern)]
    return {f.name for f in functions if f.name.startswith("read_") and parameters(f)[0] == "path"}


@pytest.mark.parametrize(
    ("case", "attribute", "existing", "exceptions"),
    [
        ("MetricCase", "of", metrics(), NOT_A_METRIC),
        ("LossCase", "of", losses(), NOT_A_LOSS),
        ("ScorerCase", "name", set(scorer_names()), {}),
        ("CorpusCase", "name", set(CONFIG_NAMES), {}),
        ("ReaderCase", "of", readers(), NOT_A_READER),
    ],
    ids=["metrics", "losses", "scorers", "corpora", "readers"],
)
def test_everything_of_a_kind_is_held_to_its_case(
    case: str, attribute: str, existing: set[str], exceptions: dict[str, str]
) -> None:
    assert existing >= exceptions.keys(), "an exception that is none any more"
    assert held_to(case, attribute) & exceptions.keys() == set(), "an exception that has a case"
    assert existing - exceptions.keys() - held_to(case, attribute) == set()


def test_classes_of_cases_are_collected() -> None:
    assert len(case_classes()) > 30
    for name, bases, attributes in case_classes():
        assert name.startswith("Test") or "Case" in name, (name, bases)
        assert attributes, name
