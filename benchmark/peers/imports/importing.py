"""Makes a run folder of what a peer leaves, with the manifest of the export that it was started on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.peers.imports.checks import (
    check_choice,
    check_decided,
    check_none_outside,
    check_printed,
    check_request,
    check_same_splits,
)
from iemomecp_dataset.benchmark.peers.imports.filling import FilledSplit, fill, merge, unscored_file, write_unscored
from iemomecp_dataset.benchmark.peers.imports.hilo_output import HILO_THRESHOLD, read_hilo_output
from iemomecp_dataset.benchmark.peers.imports.m3hg_json_output import read_m3hg_json_output
from iemomecp_dataset.benchmark.peers.imports.m3hg_output import read_m3hg_output
from iemomecp_dataset.benchmark.peers.imports.mecpe_output import read_mecpe_output
from iemomecp_dataset.benchmark.peers.imports.outputs import SCORED, PeerOutput
from iemomecp_dataset.benchmark.peers.imports.records import (
    facts_of_import,
    modalities_of,
    notes_of,
    row_name,
    seed_of,
    settings_of,
)
from iemomecp_dataset.benchmark.peers.imports.request import (
    ImportRequest,
    has_category_mode,
    window_of,
)
from iemomecp_dataset.benchmark.peers.imports.semeval_output import read_semeval_output
from iemomecp_dataset.benchmark.peers.manifest import Manifest, check_manifest, read_manifest
from iemomecp_dataset.benchmark.peers.positives import exported_pairs
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.benchmark.runs.submission import Submission, check_submission, write_submission
from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["ImportRequest", "import_from"]


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
    check_request(request, manifest, second)
    check_submission(
        Submission(request.system or "peer", {"test": Path()}, request.data_dir, manifest.config_name), request.folder
    )
    corpus = _load(manifest, request.data_dir)
    runs = [_filled(request, manifest, corpus, request.outputs)]
    if second is not None:
        check_manifest(second, corpus)
        runs.append(_filled(request, second, corpus, request.context_outputs))
        check_same_splits(runs)
    merged = {split: merge(filled, runs[1][split]) if second else filled for split, filled in runs[0].items()}
    if corpus.definition != "F":
        check_none_outside(merged, corpus)
    check_choice(request, merged)
    is_ranked = all(filled.probabilities is not None for filled in merged.values())
    threshold = HILO_THRESHOLD if is_ranked else None
    if threshold is not None:
        check_decided(merged, threshold)
    for manifest_of, run in zip((manifest, second), runs, strict=False):
        assert manifest_of is not None  # there are as many runs as manifests
        check_printed(request.peer, str(manifest_of.options.get("positive")), run, corpus)
    if request.choose_threshold:
        threshold = _chosen_threshold(merged["validation"], corpus.tables["validation"])
    notes = notes_of(request, manifest, second, merged, corpus, None if request.choose_threshold else threshold)
    outputs = {split: [run[split].output.path for run in runs] for split in merged}
    submission = Submission(
        name=row_name(request, manifest, second),
        files={},
        data_dir=request.data_dir,
        config_name=manifest.config_name,
        seed=seed_of(request),
        modalities=modalities_of(request, manifest),
        threshold=threshold,
        threshold_chosen_on="validation" if request.choose_threshold else None,
        given={
            split: filled.as_predictions(corpus.class_names, corpus.config_name) for split, filled in merged.items()
        },
        sources=outputs,
        settings=settings_of(request, manifest, second),
        facts={"peer": facts_of_import(request, manifest, second, runs, merged, corpus, notes)},
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
        return read_m3hg_output(path, manifest, window=window_of(request))
    if request.peer == "mecpe":
        gold = {
            split: {row["dialogue_id"]: frozenset(exported_pairs(row, positive)) for row in rows}
            for split, rows in corpus.rows.items()
        }
        return read_mecpe_output(path, manifest, gold, past=request.mecpe_past, categories=has_category_mode(request))
    if request.peer == "semeval":
        return _without_gold_emotions(read_semeval_output(path, manifest, reading=request.reading), corpus)
    return _without_gold_emotions(read_m3hg_json_output(path, manifest), corpus)


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
