"""Exports gold and predictions in the layout of SemEval-2024 Task 3, for its official evaluator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, peer_dialogues
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.evaluation.aligned import predicted_pairs, score_candidates
from iemomecp_dataset.metrics.evaluation.candidate_scores import emotions_origin
from iemomecp_dataset.metrics.evaluation.evaluate import scored_data
from iemomecp_dataset.metrics.evaluation.gold import gold_split
from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import write_semeval
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, PairSet, pair_set
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS, ROLE_LABELS, SPLITS

__all__ = ["export_semeval"]


def export_semeval(corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str]) -> Exported:
    """Writes ``gold_{split}.json`` of every split, and ``predictions_{split}.json`` of every file of predictions.

    Args:
        corpus: The corpus.
        request: What to export.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.

    Returns:
        What was written.

    Raises:
        UsageError: Two files are of the same split, or of the class that is not exported.
        InvalidDataError: An utterance has no emotion that is known, or predictions do not fit the data.
    """
    own_ids = {split: [str(row["dialogue_id"]) for row in rows] for split, rows in corpus.rows.items()}
    dialogues, counts = peer_dialogues(
        corpus, peer="SemEval's layout", positive=positive, emotions=emotions, ids=own_ids, layout="json"
    )
    files, notes = [], []
    for split, of_split in dialogues.items():
        gold = _gold(of_split)
        assert gold.emotions is not None
        counts[split]["positive pairs of a neutral target"] += sum(
            name in NEUTRAL_EMOTIONS for name in gold.emotions.tolist()
        )
        files.append(f"gold_{split}.json")
        write_semeval(request.output_dir / files[-1], gold, gold_split(corpus, split).conversations)
    strange = sorted(set(emotions.values()) - NEUTRAL_EMOTIONS - set(SEMEVAL_EMOTIONS))
    if strange:
        notes.append(
            f"The official evaluator scores {', '.join(SEMEVAL_EMOTIONS)}; {', '.join(strange)} are not among them."
        )
    if request.predictions and positive == ROLE_LABELS[1]:
        raise UsageError(
            f"Predicted pairs are those of class {ROLE_LABELS[0]}; give --positive {ROLE_LABELS[0]} with --predictions."
        )
    written: dict[str, Path] = {}
    for path in request.predictions:
        split = _write_predictions(path, corpus, request, written, counts)
        files.append(f"predictions_{split}.json")
    return Exported(
        dialogues=dialogues,
        counts=counts,
        files=files,
        not_written=[
            name
            for split in SPLITS
            for name in (f"gold_{split}.json", f"predictions_{split}.json")
            if name not in files
        ],
        notes=notes,
        howto={"files": "\n".join(f"* `{name}`" for name in files)},
    )


def _gold(dialogues: list[PeerDialogue]) -> PairSet:
    pairs = [
        (dialogue.dialogue_id, target, cause, dialogue.utterances[target - 1].emotion)
        for dialogue in dialogues
        for target, cause in dialogue.pairs
    ]
    ids, targets, causes, emotions = ([pair[column] for pair in pairs] for column in range(4))
    return pair_set(ids, targets, causes, emotions)


def _write_predictions(
    path: Path,
    corpus: Corpus,
    request: ExportRequest,
    written: dict[str, Path],
    counts: Mapping[str, Counter[str]],
) -> str:
    """Writes a file of predictions, and counts its pairs; its split."""
    predictions = read_candidate_predictions(path, config_name=corpus.config_name)
    split = scored_data(predictions, config_name=corpus.config_name).split
    if split in written:
        raise UsageError(f"{written[split]} and {path} are both predictions for {split}; give one of them.")
    written[split] = path
    options = EvaluationOptions(gold_emotions=request.gold_emotions)
    gold = gold_split(corpus, split)
    scored = score_candidates(predictions, gold, options)
    origin = emotions_origin(scored, options, "export-for semeval")
    pairs = predicted_pairs(scored, emotions=origin)
    write_semeval(request.output_dir / f"predictions_{split}.json", pairs, gold.conversations, emotions=origin)
    kind = "with GOLD emotions, an upper bound" if origin == "gold" else "with predicted emotions"
    counts[split][f"predicted pairs {kind}"] += len(pairs)
    return split
