"""The record and the predictions of a run that explains emotions, in the formats that all runs have.

See :mod:`~iemomecp_dataset.benchmark.runs.results` and
:mod:`~iemomecp_dataset.metrics.evaluation.explanations.predictions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.baselines.explanation_rows import PredictedCauses, explanation_systems
from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings
from iemomecp_dataset.benchmark.runs.results import EXPLANATION, RunResults
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.explanation_table import ExplanationTable, explanation_table
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationFacts,
    explanations_file,
    write_explanation_predictions,
)
from iemomecp_dataset.metrics.explanations.learned import bertscore_word
from iemomecp_dataset.metrics.explanations.meteor import one_meteor_program
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.metrics.explanations.signature import explanation_run_signature, model_word
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts

__all__ = ["RESAMPLED", "explanation_run_results", "recorded_explanation_scores", "write_explanation_run_predictions"]

RESAMPLED = ("content_cider", "content_bleu_4", "content_rouge_l", "cider", "bleu_4", "rouge_l")
"""Scores that are recorded with their standard error and 95 % interval over resampled dialogues."""

_N_RESAMPLES = 1000


@one_meteor_program()
def explanation_run_results(
    corpus: Corpus,
    predictions: Mapping[str, Sequence[str]],
    *,
    run_name: str,
    scorer: str,
    objective: str,
    modalities: str,
    seed: int,
    text_encoder: str = "none",
    encoder_mode: str = "none",
    predicted_causes: PredictedCauses | None = None,
    more_counts: Mapping[str, Mapping[str, int]] | None = None,
    epoch_chosen_on: str | None = None,
    causes: str | None = None,
    meteor: bool = True,
    bertscore_model: str | None = None,
    bleurt_model: str | None = None,
    extra: Mapping[str, Any] | None = None,
    **measured: Any,
) -> RunResults:
    """Builds the record of a run that explains emotions: scores it and the structural rows on the same items.

    Args:
        corpus: What it was trained and scored on.
        predictions: By split that is reported one text per item of its explanation table.
        run_name: As in :class:`~iemomecp_dataset.benchmark.runs.results.RunResults`, and so are the next six.
        scorer: ``explanation`` or ``external``.
        objective: How it was made: the training objective, or the name of another system.
        modalities: Letters t, a, v.
        seed: Random seed.
        text_encoder: Name or path of the language model.
        encoder_mode: ``frozen`` or ``trained``.
        predicted_causes: By split the cause turns of each item that a pair run predicted, for the row that copies them.
        more_counts: By split, counts beside those of the data.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        causes: Origin of the cause marks in the input, which the signature states: ``gold``, ``predicted``, ``last``,
            ``shuffled`` or ``none``; by default that of ``settings``, else unknown.
        meteor: Compute METEOR where Java and its package are installed; Java starts once for all systems and splits.
        bertscore_model: Folder of an encoder for BERTScore.
        bleurt_model: Folder of a BLEURT checkpoint.
        extra: Further keys of the record.
        **measured: Further fields of the record: versions, git_revision, wall_seconds and so on.

    Returns:
        The record. ``extra`` also holds the signature of each reported split, and what its splits share.

    Raises:
        MetricInputError: Texts that cannot be scored: too few, too many, or of a split without explanations.
        IemomecpError: A model for scores cannot be loaded.
    """
    tables = {split: explanation_table(rows) for split, rows in corpus.rows.items()}
    models: dict[str, Any] = {"meteor": meteor, "bertscore_model": bertscore_model, "bleurt_model": bleurt_model}
    reported = {
        split: recorded_explanation_scores(texts, tables[split], **models) for split, texts in predictions.items()
    }
    return RunResults(
        task=EXPLANATION,
        run_name=run_name,
        corpus=corpus.name,
        config_name=corpus.config_name,
        class_names=(),
        synthetic=corpus.synthetic,
        data_statement=corpus.statement,
        definition="",
        candidates="",
        scorer=scorer,
        objective=objective,
        modalities=modalities,
        text_encoder=text_encoder,
        encoder_mode=encoder_mode,
        seed=seed,
        threshold={"value": None, "chosen_on": None},
        metrics=reported,
        missing_splits=corpus.missing_splits,
        counts={
            split: {
                "dialogues": len(corpus.rows[split]),
                "utterances": sum(len(row["utterances"]) for row in corpus.rows[split]),
                "explanations": len(table),
                **(more_counts or {}).get(split, {}),
            }
            for split, table in tables.items()
        },
        structural_baselines={
            system.key: {
                "display_name": system.display_name,
                "description": system.description,
                "threshold": None,
                "chosen_on": None,
                "splits": {
                    split: recorded_explanation_scores(texts, tables[split], **models)
                    for split, texts in system.predictions.items()
                    if split in predictions
                },
            }
            for system in explanation_systems(corpus, predicted_causes=predicted_causes)
        },
        data_fingerprint=corpus.fingerprints,
        text_fingerprint=corpus.text_fingerprints,
        epoch_chosen_on=epoch_chosen_on,
        license_text_shareable=corpus.synthetic,
        extra={
            "signatures": {
                split: str(
                    explanation_run_signature(
                        corpus.rows[split],
                        corpus=corpus.name,
                        config_name=corpus.config_name,
                        split=split,
                        synthetic=corpus.synthetic,
                        texts=corpus.text_fingerprints[split],
                        epoch_chosen_on=epoch_chosen_on,
                        causes=causes or measured.get("settings", {}).get("causes"),
                        bertscore=bertscore_word(bertscore_model),
                        bleurt=model_word(bleurt_model),
                    )
                )
                for split in predictions
            },
            "leaks": contamination_warnings(corpus),
            **(extra or {}),
        },
        **measured,
    )


def recorded_explanation_scores(predictions: Sequence[str], table: ExplanationTable, **options: Any) -> dict[str, Any]:
    """Scores the explanations of one split, as a record holds them.

    Args:
        predictions: ``m`` texts.
        table: ``m`` explanations, the references.
        **options: Those of :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores`.

    Returns:
        Its scores, and of those in :data:`RESAMPLED` ``<score>_se, <score>_low, <score>_high``: standard error and 95 %
        interval over resampled dialogues, absent for fewer than two dialogues.

    Raises:
        MetricInputError: There are other numbers of texts and explanations, or none.
    """
    if not len(table):
        raise MetricInputError("The split has no complete explanation, so nothing can be scored on it.")
    if len(predictions) != len(table):
        raise MetricInputError(
            f"There are texts for {len(predictions)} explanations, but the split has {len(table)}. Explain every item "
            "once, in the order of the rows."
        )
    scores: dict[str, Any] = explanation_scores(predictions, table.references, **options)
    (counts,) = explanation_unit_counts([predictions], table.references, table.dialogue_ids)
    if len(counts.units) > 1:
        intervals = bootstrap_intervals(counts, n_resamples=_N_RESAMPLES)
        for name in RESAMPLED:
            one = intervals[name]
            scores |= {f"{name}_se": one.standard_error, f"{name}_low": one.low, f"{name}_high": one.high}
    return scores


def write_explanation_run_predictions(
    folder: Path,
    corpus: Corpus,
    split: str,
    predictions: Sequence[str],
    *,
    epoch_chosen_on: str | None = None,
    **stated: Any,
) -> None:
    """Writes the explanations file of one split into a run folder.

    Args:
        folder: The run folder.
        corpus: What the run was scored on.
        split: The split.
        predictions: One text per item of the split's explanation table.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        **stated: Further metadata: fields of
            :class:`~iemomecp_dataset.metrics.evaluation.explanations.predictions.ExplanationFacts`.
    """
    facts = ExplanationFacts(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        epoch_chosen_on=epoch_chosen_on,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
        license_text_shareable=corpus.synthetic,
        **stated,
    )
    path = explanations_file(folder, split)
    write_explanation_predictions(path, explanation_table(corpus.rows[split]), predictions, facts)
