"""Makes a run folder of what a peer leaves, with the manifest of the export that it was started on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.peers.filling import FilledSplit, fill, merge, unscored_file, write_unscored
from iemomecp_dataset.benchmark.peers.hilo_output import HILO_THRESHOLD, read_hilo_output
from iemomecp_dataset.benchmark.peers.m3hg import WINDOW
from iemomecp_dataset.benchmark.peers.m3hg_json_output import read_m3hg_json_output
from iemomecp_dataset.benchmark.peers.m3hg_output import read_m3hg_output, seed_of_file
from iemomecp_dataset.benchmark.peers.manifest import MANIFEST_FILE, Manifest, check_manifest, read_manifest
from iemomecp_dataset.benchmark.peers.mecpe_output import has_categories, read_mecpe_output
from iemomecp_dataset.benchmark.peers.outputs import SCORED, PeerOutput
from iemomecp_dataset.benchmark.peers.positives import exported_pairs
from iemomecp_dataset.benchmark.peers.semeval_output import read_semeval_output
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.benchmark.runs.submission import Submission, check_submission, write_submission
from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.evaluation.coverage import name_pairs
from iemomecp_dataset.metrics.scoring import decide, pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import MODALITY_SETS, ROLE_LABELS

__all__ = ["ImportRequest", "import_from"]

_NAMES = {"hilo": "HiLo", "m3hg": "M3HG", "mecpe": "MECPE-2step"}
"""Names of rows; files in a layout that many systems write have none."""

_CAUSE, _CONTEXT = ROLE_LABELS[:2]
_NO_CHOICES = ("candidates", "forward_pairs", "moved_first", "modalities", "predictions", "emotions_of")
"""Options of an export that are part of a table or of the row's name, follow from the data, or change no input."""
_PRINTED_DIGITS = 1e-4


@dataclass(frozen=True)
class ImportRequest:
    """What to import.

    Attributes:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.manifest.PEERS`.
        manifest: Manifest of the export, or its folder.
        outputs: What the peer left: one file per split.
        data_dir: Folder of the corpus.
        folder: The run folder to write.
        seed: Seed of the run; None: the one in the name of M3HG's file, else 0.
        system: Name of the row; None: the peer's, or the folder's.
        modalities: Letters t, a, v; None: what the manifest states.
        context_manifest: Of the three-class task: the manifest of a second export, of which contexts were learned.
        context_outputs: What that second run left.
        choose_threshold: HiLo: choose the threshold on validation, instead of its own.
        m3hg_window: M3HG: most turns between target and cause.
        mecpe_past: MECPE: step 2 left out causes after their target.
        mecpe_categories: MECPE: its category mode; None: as the folder of its files tells.
    """

    peer: str
    manifest: Path
    outputs: tuple[Path, ...]
    data_dir: Path
    folder: Path
    seed: int | None = None
    system: str | None = None
    modalities: str | None = None
    context_manifest: Path | None = None
    context_outputs: tuple[Path, ...] = ()
    choose_threshold: bool = False
    m3hg_window: int = WINDOW
    mecpe_past: bool = False
    mecpe_categories: bool | None = None


def import_from(request: ImportRequest) -> RunResults:
    """Reads, checks, fills and scores what a peer left, and writes a run folder.

    Every candidate of a split has a decision; what the peer did not decide on is a non-pair, counted by reason in the
    record (``peer``) and listed in ``unscored_<split>.parquet``. HiLo has probabilities, and decides by 0.5, its own
    fixed rule, or with ``choose_threshold`` by the best threshold on validation, which is another system. The others
    only decide: their average precision is undefined. Where every predicted pair has an emotion, the record also has
    the scores of definitions C and D (``triples``).

    Args:
        request: What to import.

    Returns:
        The record, as written.

    Raises:
        RunFolderError: The folder is not empty.
        MissingDataError: A file is not there.
        UsageError: The options do not fit together, or pairs are predicted that no run of this data can hold.
        InvalidDataError: The manifest is of another peer, configuration or data, or the output is of another export.
        IemomecpError: The data cannot be read.
    """
    manifest = _read_manifest(request.manifest, request.peer)
    second = None
    if request.context_manifest is not None:
        second = _read_manifest(request.context_manifest, request.peer)
    _check_request(request, manifest, second)
    check_submission(
        Submission(request.system or "peer", {"test": Path()}, request.data_dir, manifest.config_name), request.folder
    )
    corpus = _load(manifest, request.data_dir)
    runs = [_filled(request, manifest, corpus, request.outputs)]
    if second is not None:
        check_manifest(second, corpus)
        runs.append(_filled(request, second, corpus, request.context_outputs))
        _check_same_splits(runs)
    merged = {split: merge(filled, runs[1][split]) if second else filled for split, filled in runs[0].items()}
    if corpus.definition != "F":
        _check_none_outside(merged, corpus)
    _check_choice(request, merged)
    is_ranked = all(filled.probabilities is not None for filled in merged.values())
    threshold = HILO_THRESHOLD if is_ranked else None
    if threshold is not None:
        _check_decided(merged, threshold)
    for manifest_of, run in zip((manifest, second), runs, strict=False):
        assert manifest_of is not None  # there are as many runs as manifests
        _check_printed(request.peer, str(manifest_of.options.get("positive")), run, corpus)
    if request.choose_threshold:
        threshold = _chosen_threshold(merged["validation"], corpus.tables["validation"])
    notes = _notes(request, manifest, second, merged, corpus, None if request.choose_threshold else threshold)
    outputs = {split: [run[split].output.path for run in runs] for split in merged}
    submission = Submission(
        name=_row_name(request, manifest, second),
        files={},
        data_dir=request.data_dir,
        config_name=manifest.config_name,
        seed=_seed(request),
        modalities=_modalities(request, manifest),
        threshold=threshold,
        threshold_chosen_on="validation" if request.choose_threshold else None,
        given={
            split: filled.as_predictions(corpus.class_names, corpus.config_name) for split, filled in merged.items()
        },
        sources=outputs,
        settings=_settings(request, manifest, second),
        facts={"peer": _facts(request, manifest, second, runs, merged, corpus, notes)},
        triples=True,
    )

    def write_further(folder: Path) -> None:
        for run, name in zip(runs, ("", "context"), strict=False):
            for split, filled in run.items():
                write_unscored(unscored_file(folder, split, name), filled)

    return write_submission(submission, request.folder, corpus=corpus, write_further=write_further)


def _read_manifest(path: Path, peer: str) -> Manifest:
    manifest = read_manifest(path)
    if manifest.peer != peer:
        raise UsageError(
            f"{path} is the manifest of an export for {manifest.peer}, not for {peer}. Give the manifest of the export "
            "that the peer was started on."
        )
    return manifest


def _check_request(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> None:
    positive = manifest.options.get("positive")
    if not request.outputs:
        raise UsageError("There are no files of the peer. Name what it left with --output.")
    if positive == _CONTEXT:
        raise UsageError(
            f"{request.manifest}: of this export {_CONTEXT} was learned, and a run needs causes. Give it as "
            f"--context-manifest beside the manifest of an export with --positive {_CAUSE}."
        )
    for name, peer, given in (
        ("mecpe-past", "mecpe", request.mecpe_past),
        ("mecpe-categories", "mecpe", request.mecpe_categories is not None),
        ("m3hg-window", "m3hg", request.m3hg_window != WINDOW),
    ):
        if given and request.peer != peer:
            raise UsageError(f"--{name} is for {peer}, and has no effect on {request.peer}. Leave it out.")
    runs_of_files = {(path.parent, path.stem.rpartition("_")[0]) for path in request.outputs}
    if request.peer == "mecpe" and len(runs_of_files) > 1:
        raise UsageError(
            "The files are of several runs of MECPE: " + ", ".join(map(str, request.outputs)) + ". Import each run "
            "(one folder, one k of run<k>) into a folder of its own."
        )
    if (second is None) == bool(request.context_outputs):
        raise UsageError("--context-manifest and --context-output go together: give both, or neither.")
    if second is None:
        return
    if positive != _CAUSE or second.options.get("positive") != _CONTEXT:
        raise UsageError(
            f"Two runs merge where the first learned {_CAUSE} and the second {_CONTEXT}; these learned {positive} and "
            f"{second.options.get('positive')}."
        )
    if second.config_name != manifest.config_name:
        raise UsageError(
            f"The first run is of {manifest.config_name} and the second of {second.config_name}; two runs merge on the "
            "same data."
        )
    differing = sorted(
        name
        for name in {*manifest.options, *second.options} - {"positive"}
        if manifest.options.get(name) != second.options.get(name)
    )
    if differing:
        raise UsageError(
            f"The two exports differ in {', '.join(differing)}; runs of one system merge. Export both with the same "
            "options."
        )
    contents = [{hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}
                for paths in (request.outputs, request.context_outputs)]  # fmt: skip
    if contents[0] & contents[1]:
        raise UsageError("The run of causes and that of contexts have a file in common. Give the files of both runs.")


def _load(manifest: Manifest, data_dir: Path) -> Corpus:
    fixed = corpus_of_config(manifest.config_name) == IEMOMECP
    corpus = load_corpus(
        manifest.config_name,
        data_dir,
        candidates=None if fixed else manifest.options.get("candidates"),
        forward_pairs=manifest.options.get("forward_pairs") if manifest.config_name == "source_binary" else None,
        for_training=False,
    ).require_pairs()
    check_manifest(manifest, corpus)
    return corpus


def _filled(
    request: ImportRequest, manifest: Manifest, corpus: Corpus, paths: Sequence[Path]
) -> dict[str, FilledSplit]:
    """Reads the files of one run, and fills the candidates of their splits."""
    positive = str(manifest.options.get("positive"))
    class_id = ROLE_LABELS.index(positive) if positive in ROLE_LABELS else 0
    found: dict[str, FilledSplit] = {}
    for path in paths:
        output = _read(request, manifest, corpus, path, positive)
        if output.split in found:
            raise UsageError(
                f"{found[output.split].output.path} and {path} are both of {output.split}; a run has one file per "
                "split. Import each run into a folder of its own."
            )
        found[output.split] = fill(output, corpus.tables[output.split], corpus.class_names, class_id)
    return found


def _read(request: ImportRequest, manifest: Manifest, corpus: Corpus, path: Path, positive: str) -> PeerOutput:
    if request.peer == "hilo":
        return read_hilo_output(path, manifest)
    if request.peer == "m3hg":
        return read_m3hg_output(path, manifest, window=request.m3hg_window)
    if request.peer == "mecpe":
        gold = {
            split: {row["dialogue_id"]: frozenset(exported_pairs(row, positive)) for row in rows}
            for split, rows in corpus.rows.items()
        }
        return read_mecpe_output(path, manifest, gold, past=request.mecpe_past, categories=_categories(request))
    if request.peer == "semeval":
        return read_semeval_output(path, manifest)
    return _without_gold_emotions(read_m3hg_json_output(path, manifest), corpus)


def _categories(request: ImportRequest) -> bool:
    """Whether MECPE ran in its category mode: as stated, else by the scope of its files, which must agree."""
    if request.mecpe_categories is not None:
        return request.mecpe_categories
    found = {has_categories(path) for path in (*request.outputs, *request.context_outputs)}
    if len(found) > 1:
        raise UsageError(
            "Some files are of MECPE's category mode and others are not, by the names of their scopes: they are of two "
            "systems. Import each into a run of its own."
        )
    return found == {True}


def _without_gold_emotions(output: PeerOutput, corpus: Corpus) -> PeerOutput:
    """Leaves out emotions that all are the gold ones: the file is the exported one with other causes."""
    gold = {
        row["dialogue_id"]: tuple(corpus.emotion_names[utterance["emotion"]] for utterance in row["utterances"])
        for row in corpus.rows[output.split]
        if all(utterance["emotion"] is not None for utterance in row["utterances"])
    }
    given = [
        (emotion, gold.get(found.dialogue_id, ())[place : place + 1])
        for found in output.dialogues
        for place, emotion in enumerate(found.emotions or ())
        if emotion
    ]
    if not given or any((emotion,) != of_gold for emotion, of_gold in given):
        return output
    return replace(
        output,
        dialogues=tuple(replace(found, emotions=None) for found in output.dialogues),
        notes=(
            *output.notes,
            "All emotions of the file are the gold ones, as in the exported file; they are not imported, so there are "
            "no scores of definitions C and D.",
        ),
    )


def _check_same_splits(runs: Sequence[Mapping[str, FilledSplit]]) -> None:
    first, second = (sorted(run) for run in runs)
    if first != second:
        raise UsageError(
            f"The run of causes has {' and '.join(first)}, and that of contexts {' and '.join(second)}; give both of "
            "the same splits."
        )


def _check_none_outside(merged: Mapping[str, FilledSplit], corpus: Corpus) -> None:
    """Refuses predicted pairs that count as wrong and that no run can hold."""
    for filled in merged.values():
        outside = filled.outside(corpus.class_names)
        if len(outside):
            raise UsageError(
                f"{filled.output.path}: {len(outside)} predicted pairs are no candidates of --candidates "
                f"{corpus.candidates}, {name_pairs(outside.keys)}. Definition {corpus.definition} counts them as "
                "wrong, but a run holds the candidates alone, so its row would score higher. Export with --candidates "
                "all, and import with that manifest."
            )


def _check_choice(request: ImportRequest, merged: Mapping[str, FilledSplit]) -> None:
    if not request.choose_threshold:
        return
    if any(filled.probabilities is None for filled in merged.values()):
        raise UsageError(f"{request.peer} only decides and gives no probabilities: leave --choose-threshold out.")
    if "validation" not in merged:
        raise UsageError(
            "--choose-threshold chooses on validation: give its file too, such as hilo_validation.json, with --output."
        )


def _check_decided(merged: Mapping[str, FilledSplit], threshold: float) -> None:
    """Checks that the rule of the run gives the peer's own decisions, so that no probability was changed."""
    for filled in merged.values():
        assert filled.probabilities is not None  # the threshold is of probabilities
        differing = int((decide(filled.probabilities, threshold) != filled.decisions).sum())
        if differing:
            raise UsageError(f"{filled.output.path}: on {differing} pairs two runs tie and cannot be merged.")


def _check_printed(peer: str, positive: str, run: Mapping[str, FilledSplit], corpus: Corpus) -> None:
    """Checks that a run's own decisions on test have the F1 that the peer printed, on all exported pairs."""
    for split, filled in run.items():
        printed = filled.output.printed.get("f1")
        if printed is None or split != "test":
            continue
        rows = {row["dialogue_id"]: row for row in corpus.rows[split]}
        n_predicted = n_gold = n_correct = 0
        for dialogue in filled.output.dialogues:
            gold = set(exported_pairs(rows[dialogue.dialogue_id], positive))
            predicted = {(int(target) + 1, int(cause) + 1) for target, cause in np.argwhere(dialogue.decided)}
            n_predicted, n_gold = n_predicted + len(predicted), n_gold + len(gold)
            n_correct += len(predicted & gold)
        own = 2 * n_correct / (n_predicted + n_gold) if n_predicted + n_gold else float("nan")
        if not abs(own - printed) <= _PRINTED_DIGITS:
            raise InvalidDataError(
                f"{filled.output.path}: {_NAMES.get(peer, peer)} printed F1 {100 * printed:.2f}, but its decisions "
                f"have {100 * own:.2f} on the exported pairs ({positive}). The file is of another export "
                "or of other data: give the manifest of the export that it was started on."
            )


def _chosen_threshold(validation: FilledSplit, candidates: PairTable) -> float:
    """Chooses the threshold on the pairs that the peer scored; the others stay non-pairs, whatever it is."""
    assert validation.probabilities is not None  # checked before
    scored = validation.reasons == SCORED
    if not scored.any():
        raise InvalidDataError(f"{validation.output.path}: no pair was scored, so no threshold can be chosen.")
    labels = np.asarray(candidates.labels)
    value, _ = best_threshold(
        validation.probabilities[: validation.n_candidates][scored],
        labels[scored],
        missed_positives=candidates.missed_positives + int((labels[~scored] == 0).sum()),
    )
    # Above 0, the probability of what was not scored.
    return max(value, float(np.nextafter(0.0, 1.0)))


def _seed(request: ImportRequest) -> int:
    if request.seed is not None:
        return request.seed
    return (seed_of_file(request.outputs[0]) if request.peer == "m3hg" else None) or 0


def _modalities(request: ImportRequest, manifest: Manifest) -> str:
    # What a system used whose layout many write is not known from an export.
    exported = manifest.options.get("modalities")
    if request.modalities and request.peer in _NAMES and not set(request.modalities) <= set(str(exported)):
        raise UsageError(
            f"--modalities {request.modalities}: of this export {request.peer} had {exported} alone. Leave it out."
        )
    stated = request.modalities or (exported if request.peer in _NAMES else None)
    return stated if stated in MODALITY_SETS else ""


def _row_name(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> str:
    if request.system is not None:
        return request.system
    name = _NAMES.get(request.peer, request.folder.name)
    if second is not None:
        return f"{name}, causes and contexts in two runs"
    return f"{name}, causes alone" if manifest.options.get("positive") == _CAUSE else name


def _settings(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> dict[str, Any]:
    """The choices that make another system of the same peer."""
    left_out = (*_NO_CHOICES, "features")
    found: dict[str, Any] = {"peer": request.peer}
    found |= {name: value for name, value in manifest.options.items() if name not in left_out and value is not None}
    features: Mapping[str, Any] = manifest.options.get("features") or {}
    found |= {f"{modality}_features": array.get("digest") or "constant" for modality, array in features.items()}
    if second is not None:
        found["positive"] = f"{_CAUSE}, then {_CONTEXT}"
    if request.peer == "m3hg":
        found["m3hg_window"] = request.m3hg_window
    if request.peer == "mecpe":
        found |= {"mecpe_past": request.mecpe_past, "mecpe_categories": _categories(request)}
    return found


def _notes(
    request: ImportRequest,
    manifest: Manifest,
    second: Manifest | None,
    merged: Mapping[str, FilledSplit],
    corpus: Corpus,
    threshold: float | None,
) -> list[str]:
    """What the row must state: the choices of the exports, what it cannot find, and what the peer printed."""
    notes = list(dict.fromkeys((*manifest.notes, *(second.notes if second else ()))))
    if second is not None:
        notes.append(
            f"Two runs, each with one binary relation, are merged: {_CAUSE} where the first predicts a pair, else "
            f"{_CONTEXT} where the second does, else non_pair."
        )
    elif manifest.options.get("positive") == _CAUSE and corpus.class_names == ROLE_LABELS:
        notes.append(
            f"One binary relation was learned, of {_CAUSE}: every other candidate is a non_pair, and {_CONTEXT} F1 is "
            "0 by construction."
        )
    if second is None and threshold is not None:
        for split, filled in merged.items():
            notes += _beside_printed(request.peer, split, filled, corpus, threshold)
    return notes


def _beside_printed(peer: str, split: str, filled: FilledSplit, corpus: Corpus, threshold: float) -> list[str]:
    """Says where the peer's own F1 is another than that of its imported decisions."""
    printed = filled.output.printed.get("f1")
    if printed is None or filled.probabilities is None:
        return []
    table = corpus.tables[split]
    own = pair_scores(
        filled.probabilities[: filled.n_candidates],
        table.labels,
        corpus.class_names,
        threshold=threshold,
        missed_positives=table.missed_positives,
    )["pair_f1"]
    if abs(own - printed) <= _PRINTED_DIGITS:
        return []
    return [
        f"{_NAMES.get(peer, peer)} printed F1 {100 * printed:.2f} on {split}; the same decisions have {100 * own:.2f} "
        f"here, by definition {corpus.definition}."
    ]


def _facts(
    request: ImportRequest,
    manifest: Manifest,
    second: Manifest | None,
    runs: Sequence[Mapping[str, FilledSplit]],
    merged: Mapping[str, FilledSplit],
    corpus: Corpus,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What a record states of an import, under the key ``peer``."""
    paths = [request.manifest, request.context_manifest]
    facts = [
        _facts_of(manifest_of, path, run)
        for manifest_of, path, run in zip((manifest, second), paths, runs, strict=False)
        if manifest_of is not None and path is not None
    ]
    outside = {split: len(filled.outside(corpus.class_names)) for split, filled in merged.items()}
    return {
        "name": request.peer,
        **facts[0],
        **({"context": facts[1]} if len(facts) > 1 else {}),
        "predicted_pairs_that_are_no_candidates": outside,
        "notes": list(notes),
    }


def _facts_of(manifest: Manifest, path: Path, run: Mapping[str, FilledSplit]) -> dict[str, Any]:
    file = path / MANIFEST_FILE if path.is_dir() else path
    return {
        "manifest_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "options": dict(manifest.options),
        "emotions": dict(manifest.emotions),
        "rewritten": {split: dict(counts) for split, counts in manifest.counts.items()},
        "unscored": {split: filled.unscored for split, filled in run.items()},
        "printed": {split: dict(filled.output.printed) for split, filled in run.items() if filled.output.printed},
    }
