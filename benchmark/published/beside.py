"""Published numbers for the systems of a board: rows below its own, and published gains beside the measured ones.

Published scores of the three-role task never stand in a table with imported runs of it (:func:`runs_of_peers`): the
published systems have heads for three classes, which are not released, and an import has one binary relation.
They stand beside a run only if it was scored on the published gold and candidates (:func:`is_published_gold`), and
only under the definition they were published under; beside emotions on the whole test split of the corpus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board, signature_of
from iemomecp_dataset.benchmark.board_rows import BoardRow, Score
from iemomecp_dataset.benchmark.experiments import Experiment, PublishedNumbers
from iemomecp_dataset.benchmark.published.experiments import differing_options, published_experiment, published_values
from iemomecp_dataset.benchmark.published.systems import FIELD_CAVEATS, PublishedRow, published_rows
from iemomecp_dataset.benchmark.published.tables import published_table
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.overlay.published import PUBLISHED_COUNTS

__all__ = ["Beside", "is_published_gold", "published_beside", "published_rows_beside", "runs_of_peers"]

_SPLIT = "test"  # the one that papers report on

_NAMED_OPTIONS = 4

_WITHOUT_PUBLISHED = (
    "No published scores of three roles stand beside this table: they are of heads for three classes that are not "
    "released, and {names} learned one binary relation. Published scores stand beside tables without imported runs."
)

_UTTERANCES = {"meld": 2610, "iemocap": 1623}
"""By configuration the test utterances that emotion papers report on, all of them labelled."""


@dataclass(frozen=True)
class Beside:
    """Published numbers for one split of a board.

    Attributes:
        rows: Rows of the kind ``published``, without runs: the authors' scores.
        notes: Published gains beside the board's own, in sentences.
    """

    rows: tuple[BoardRow, ...] = ()
    notes: tuple[str, ...] = ()


def published_beside(board: Board, split: str) -> Beside:
    """Finds published numbers for the configurations of a board's rows.

    Args:
        board: Comparable runs.
        split: The split that is shown.

    Returns:
        The rows and notes; none for upper bounds, or if gold, candidates, definition or split differ from the paper's.
    """
    if board.oracle or board.key.task == EXPLANATION or not _has_published_gold(board, split):
        return Beside()
    if peers := runs_of_peers(board):
        return Beside(notes=(_WITHOUT_PUBLISHED.format(names=", ".join(peers)),))
    definition = board.key.definition
    rows: dict[str, BoardRow] = {}
    notes: dict[str, str] = {}
    for own in board.trained:
        settings = {**{k: str(v) for k, v in own.runs[0].results.settings.items()}, **_of_record(own)}
        settings = {"ablation": "none", **settings} if board.key.task == ERC else settings
        experiment = published_experiment(settings)
        published = experiment.published if experiment else None
        if experiment is None or published is None:
            continue
        if (published.split, published.definition) != (split, definition):
            continue
        compared = _compared(own, differing_options(experiment, settings))
        source = f"{experiment.source}, {published.statistic}"
        if published.table and experiment.name not in rows:
            rows[experiment.name] = _row(experiment, split, f"{source}; {compared}")
            if published.within:
                notes[experiment.name] = _reproduced(published.within, rows[experiment.name], own, split)
        if published.gains and experiment.name not in notes:
            said = f"Published for {experiment.system} ({source})"
            notes[experiment.name] = f"{said}: {_gain(published, own, board, split, compared)}"
    caveats = (FIELD_CAVEATS,) if rows and board.key.task == ERC else ()
    return Beside(tuple(rows.values()), (*notes.values(), *caveats))


def published_rows_beside(board: Board) -> list[PublishedRow]:
    """Lists the published systems of a board's configuration whose scores are of the same gold and definition.

    Args:
        board: Comparable runs.

    Returns:
        The rows, best Pair F1 first, or weighted F1; none if the runs were not scored on the published gold.
    """
    if board.key.task == ERC:
        return published_rows(board.key.config_name) if _has_published_gold(board, _SPLIT) else []
    scored = _signature(board, _SPLIT)
    if scored is None or not is_published_gold(scored) or runs_of_peers(board):
        return []
    return [
        row
        for row in published_rows(scored.task)
        if (row.split, row.definition) == (scored.split, scored.definition)
        and (row.emotions == "gold") == (scored.emotions == "gold")
        and row.n_candidates in (None, scored.n_candidates)
    ]


def runs_of_peers(board: Board) -> list[str]:
    """Lists the rows of the three-role task that were imported from systems with one binary relation.

    Args:
        board: Comparable runs.

    Returns:
        Names of the rows, of single runs and of merged ones; none on another configuration.
    """
    if board.key.config_name != "3class":
        return []
    return [row.name for row in board.trained if any("peer" in run.results.settings for run in row.runs)]


def is_published_gold(scored: Signature) -> bool:
    """Whether scores are of the gold and candidates that the papers report on.

    Args:
        scored: Signature of the scores.

    Returns:
        True for scores on the real test split with the published number of gold pairs, and for the configurations of
        IEMO-MECP, whose candidates are part of the task, of candidates. False if the threshold was chosen on the test
        split, for ``forward_pairs="gold"``, and for a corpus whose published counts are not known.

    Example:
        >>> text = ("iemomecp|def:F|corpus:iemomecp|task:3class|split:test|gold:1794|candidates:18264|missed:0|"
        ...         "forward:as_published|emotions:none|decision:argmax|data:c0ffee|synthetic:no|version:0.1.0")
        >>> is_published_gold(Signature.parse(text)), is_published_gold(Signature.parse(text.replace("1794", "1768")))
        (True, False)
    """
    if scored.synthetic or scored.oracle or scored.split != _SPLIT or scored.forward_pairs == "gold":
        return False
    if scored.window != "none" or scored.part != "none":
        return False
    if scored.task == "3class":
        roles = PUBLISHED_COUNTS[_SPLIT]
        return (scored.n_gold, scored.n_candidates) == (roles.emo_cause, roles.pairs)
    if scored.task == "source_binary":
        counts = published_table("source_binary_remap_by_run").iloc[0]
        return (scored.n_gold, scored.n_candidates) == (counts["source_pair_support"], counts["coverage_n"])
    known = CORPORA[scored.corpus].published.get(_SPLIT) if scored.corpus in CORPORA else None
    return known is not None and scored.n_gold == known.gold_pairs


def _has_published_gold(board: Board, split: str) -> bool:
    if board.key.task != ERC:
        scored = _signature(board, split)
        return scored is not None and is_published_gold(scored)
    n_published = _UTTERANCES.get(board.key.config_name)
    stated = dict(dict(board.key.signatures).get(split) or ())
    counts = (stated.get("n_utterances"), stated.get("n_labelled"))
    return split == _SPLIT and not board.key.synthetic and n_published is not None and counts == (n_published,) * 2


def _signature(board: Board, split: str) -> Signature | None:
    """Reads what the scores of a split were computed on, from the first run that records it legibly."""
    return next((found for run in board.runs if (found := signature_of(run.results, split))), None)


def _of_record(row: BoardRow) -> dict[str, str]:
    record = row.runs[0].results
    names = ["config_name", "scorer", "modalities"]
    if record.task != ERC:
        names += ["objective", "text_encoder", "encoder_mode"]
    return {name: str(getattr(record, name)) for name in names}


def _row(experiment: Experiment, split: str, note: str) -> BoardRow:
    return BoardRow(
        kind="published",
        name=f"{experiment.system} (published)",
        note=note,
        scores={split: {key: Score((value,)) for key, value in published_values(experiment).items()}},
        threshold="",
    )


def _gain(published: PublishedNumbers, own: BoardRow, board: Board, split: str, compared: str) -> str:
    gain = f"{published.gains['pair_f1']:+.2f} Pair F1"
    base = _base_of(own, board)
    if base is None:
        return f"{gain}; no row here is Base with the same settings."
    mine, its = own.score(split, "pair_f1"), base.score(split, "pair_f1")
    if mine is None or its is None:
        return f"{gain}."
    return f"{gain}; here {100 * (mine.mean - its.mean):+.2f}. {compared}."


def _reproduced(within: float, published: BoardRow, own: BoardRow, split: str) -> str:
    """Says how far a system is from its published score, and whether that counts as reproducing it."""
    theirs, mine = (row.score(split, "weighted_f1") for row in (published, own))
    if theirs is None or mine is None or math.isnan(mine.mean):
        return f"{own.name} has no weighted F1 to compare with the published one."
    difference = 100 * (mine.mean - theirs.mean)
    verdict = "reproduces it" if abs(difference) <= within else "does not reproduce it"
    return (
        f"{own.name}: weighted F1 {difference:+.2f} points from the published {100 * theirs.mean:.2f}, which "
        f"{verdict} (within {within:g})."
    )


def _base_of(own: BoardRow, board: Board) -> BoardRow | None:
    """Finds the row that differs from a row in its objective alone, which is ``base``."""
    wanted = {**system_of(own.runs[0].results), "objective": "base"}
    return next((row for row in board.trained if system_of(row.runs[0].results) == wanted), None)


def _compared(own: BoardRow, differing: list[str]) -> str:
    if not differing:
        return f"{own.name} here has the same options"
    named = ", ".join(differing[:_NAMED_OPTIONS])
    more = len(differing) - _NAMED_OPTIONS
    return f"{own.name} here differs in {named}" + (f" and {more} more" if more > 0 else "")
