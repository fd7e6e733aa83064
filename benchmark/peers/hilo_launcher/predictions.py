# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""From the recorded passes to the predictions on test and validation."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .data_files import LaunchError, Split
from .layouts import find_layouts
from .printed_scores import PrintedScore, printed_scores
from .readings import Bindings, Decisions
from .recorder import Pass, Recorder
from .records import INSPECTION_FILE, inspection, split_record, write_json
from .search import Match, Search, find_reading, read_again
from .watching import say

__all__ = ["finish", "look_early"]

BY_HAND = (
    "Name the right values with --pair-logits, --mask, --filter, --emotion and --cause, by the paths of that file, "
    "such as --pair-logits output.first+output.second, and start again; or give the score that you saw with --printed."
)


def assign(passes: Sequence[Pass], splits: Mapping[str, Split]) -> dict[str, Pass]:
    """Which pass was over which file.

    Args:
        passes: Complete passes, oldest first.
        splits: The files.

    Returns:
        The last pass over each; where a pass fits both, for they have dialogues of the same lengths, the last one is
        that over test.
    """
    found: dict[str, Pass] = {}
    for name in ("test", "validation"):
        for current in reversed(passes):
            taken = any(current is other or current.dataset is other.dataset for other in found.values())
            if not taken and find_layouts(current.steps, splits[name]):
                found[name] = current
                break
    return found


def same_weights(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two sums of weights are equal, up to the order of summation."""
    return len(first) == len(second) and np.allclose(first, second, rtol=1e-9, atol=0, equal_nan=True)


def same_outputs(first: Pass, second: Pass) -> bool:
    """Whether two passes gave the same outputs, up to what a GPU may change."""
    return len(first.steps) == len(second.steps) and all(
        path in new and np.shape(new[path]) == np.shape(value) and np.allclose(new[path], value, 1e-3, 1e-4, True)
        for old, new in zip(first.steps, second.steps)
        for path, value in old.items()
        if path.startswith("output") and isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    )


def bindings_of(options: argparse.Namespace) -> Bindings:
    """What the user named by hand."""
    return Bindings(options.pair_logits, options.mask, options.filter, options.emotion, options.cause)


def look_early(recorder: Recorder, splits: Mapping[str, Split], options: argparse.Namespace) -> Callable[[Pass], None]:
    """Says after the first evaluations whether predictions will be found, so that no long training is in vain."""
    left = [3]

    def look(current: Pass) -> None:
        scores = printed_scores("".join(recorder.text[current.text_start : current.text_end]))
        names = [name for name in splits if find_layouts(current.steps, splits[name])]
        if left[0] <= 0 or not scores or not names:
            return
        search = Search()
        if find_reading(current.steps, splits[names[0]], scores, bindings_of(options), search) is not None:
            left[0] = 0
            say(f"the decisions on {names[0]} give the score that HiLo printed for them; predictions will be written")
            return
        left[0] -= 1
        file = Path(options.output_dir) / INSPECTION_FILE
        write_json(file, inspection(recorder, {names[0]: current}, search, scores))
        say(f"warning: so far, predictions would not be written: {search.problem}. See {file}. {BY_HAND}")

    def careful(current: Pass) -> None:
        try:
            look(current)
        except Exception as error:
            # HiLo's training is worth more than an early word about it.
            left[0] = 0
            say(f"note: the early check failed ({type(error).__name__}: {error}); HiLo goes on")

    return careful


def finish(recorder: Recorder, splits: Mapping[str, Split], options: argparse.Namespace) -> None:
    """Finds the reading and writes test and validation.

    Raises:
        LaunchError: No reading fits the printed score, or validation cannot be repeated; see the inspection file.
    """
    folder = Path(options.output_dir)
    passes = assign(recorder.passes, splits)
    search = Search()
    printed: list[PrintedScore] = []
    bindings = bindings_of(options)

    def refuse(problem: str) -> LaunchError:
        search.problem = problem
        write_json(folder / INSPECTION_FILE, inspection(recorder, passes, search, printed))
        return LaunchError(f"{problem}. No predictions were written; see {folder / INSPECTION_FILE}. {BY_HAND}")

    if "test" not in passes:
        lengths = splits["test"].lengths
        raise refuse(
            f"no data loader was iterated in evaluation over the {len(lengths)} dialogues ({sum(lengths)} utterances) "
            "of test.txt, or no value tells which dialogue is where"
        )
    test = passes["test"]
    if options.printed:
        text = " ".join(options.printed)
        printed = printed_scores(text)
        if not printed:
            raise refuse(f"--printed {text}: the third number is not the F1 of the first two")
    else:
        printed = printed_scores("".join(recorder.text[test.text_start :]))

    def confirm(match: Match) -> bool:
        """Whether a reading also gives the score that was printed in the last evaluation of validation."""
        old = passes.get("validation")
        decisions = read_again(old.steps, splits["validation"], match) if old is not None else None
        if old is None or decisions is None:
            return False
        scores = printed_scores("".join(recorder.text[old.text_start : old.text_end]))
        return any(score.fits(*decisions.counts(splits["validation"])) for score in scores)

    match = find_reading(test.steps, splits["test"], printed, bindings, search, confirm)
    if match is None:
        raise refuse(search.problem)
    true_positives, predicted, gold = match.counts
    say(
        f"test: {predicted} pairs predicted, {true_positives} of them among {gold} gold pairs: precision, recall and "
        f"F1 are those that HiLo printed ({match.printed.precision:g} {match.printed.recall:g} {match.printed.f1:g})"
    )
    for name, value in match.reading.in_words().items():
        say(f"  {name}: {value}")
    for remark in match.remarks:
        say(f"note: {remark}")
    records = {"test": split_record(splits["test"], match.decisions, match, match.printed)}
    problem = ""
    if "validation" in passes:
        found, problem = validation_decisions(recorder, passes, splits["validation"], splits["test"], match)
        if found is not None:
            records["validation"] = split_record(splits["validation"], *found)
    else:
        problem = "no data loader was iterated in evaluation over the dialogues of valid.txt"
    if (folder / INSPECTION_FILE).exists():
        (folder / INSPECTION_FILE).unlink()
    for name, record in records.items():
        write_json(folder / f"hilo_{name}.json", record)
    if problem:
        write_json(folder / INSPECTION_FILE, inspection(recorder, passes, search, printed))
        raise LaunchError(f"Test was written, validation was not: {problem}. See {folder / INSPECTION_FILE}.")


def validation_decisions(
    recorder: Recorder, passes: Mapping[str, Pass], split: Split, test_split: Split, match: Match
) -> tuple[tuple[Decisions, Match, PrintedScore | None] | None, str]:
    """Decisions on validation with the weights of the final evaluation.

    Args:
        recorder: What was seen.
        passes: The last passes over test and validation.
        split: Validation.
        test_split: Test.
        match: The reading that fits test.

    Returns:
        Decisions, reading and, where HiLo evaluated validation with these weights, its printed score; or None and why.
    """
    old, test = passes["validation"], passes["test"]
    alike = bool(find_layouts(old.steps, test_split))
    earlier = read_again(old.steps, split, match)
    if earlier is None:
        return None, "what gave test's decisions is not there for validation"
    counts = earlier.counts(split)
    at_once = printed_scores("".join(recorder.text[old.text_start : old.text_end]))
    # It may also be printed later, such as after test.
    later = printed_scores("".join(recorder.text[old.text_start :]))
    known = [score for score in [*at_once, *later] if score.fits(*counts)]
    if known:
        say("validation: the same reading gives the score that HiLo printed in its last evaluation of validation")
    elif any(score.could_be_of(counts[2]) for score in at_once):
        return None, (
            "HiLo printed a score in its last evaluation of validation that is not that of the decisions, if they are "
            "read there as on test"
        )
    elif alike:
        return None, "test.txt has dialogues of the same lengths, and no printed score tells which split it is"
    else:
        say("validation: HiLo printed no score that could confirm the reading there")
    if same_weights(old.weights, test.weights):
        return (earlier, match, known[0] if known else None), ""
    if not same_weights(recorder.weights_of(test), test.weights):
        return None, "HiLo changed the weights after its final evaluation"
    say("evaluating validation again with the weights of the final evaluation")
    test_again, new = recorder.repeat(test), recorder.repeat(old)
    printed: list[PrintedScore] = []
    if test_again is None or new is None or not same_outputs(test, test_again):
        # A step calls several models, whose inputs come from each other, or the evaluation is random.
        start = len(recorder.text)
        new = recorder.repeat_by_caller(old)
        printed = printed_scores("".join(recorder.text[start:]))
        if new is None:
            return None, "the models did not repeat their outputs for test, and no function can be called again instead"
    found = read_again(new.steps, split, match)
    if found is None:
        return None, "what gave test's decisions is not there when validation is evaluated again"
    counts = found.counts(split)
    known = [score for score in printed if score.fits(*counts)]
    if not known and any(score.could_be_of(counts[2]) for score in printed):
        return None, "evaluated again, validation has another score than that of the decisions that are read there"
    return (found, match, known[0] if known else None), ""
