"""A run that trains written explanations: the texts of validation and test, scored and recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from accelerate import Accelerator

from iemomecp_dataset.benchmark.runs.predicted_causes import causes_of_items, notes_of_run
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN
from iemomecp_dataset.trainers.explanation.earlier_run import earlier_epoch_split
from iemomecp_dataset.trainers.explanation.items import check_gold_causes
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.task import remarks_on_prompts, token_loss_selection
from iemomecp_dataset.trainers.explanation.writing import written_explanations
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_kind import FinishedRun
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["ExplanationRun"]


class ExplanationRun:
    """A :class:`~iemomecp_dataset.trainers.run_kind.RunKind`."""

    def corpus(self, options: ExplanationTrainingOptions, given: Corpus | None) -> Corpus:
        """Loads the corpus, or takes the given one; gold causes must be known where they are to be marked."""
        corpus = self._explained(options, given)
        read = {split: rows for split, rows in corpus.rows.items() if options.uses_train or split != "train"}
        check_gold_causes(options.model.causes, options.model.context_turns, read)
        return corpus

    def _explained(self, options: ExplanationTrainingOptions, given: Corpus | None) -> Corpus:
        data = options.data
        corpus = given or load_corpus(
            data.config_name,
            str(data.data_dir),
            emotions=data.emotions,
            meld_root=data.meld_root,
            ecf_root=data.ecf_root,
            ecf_map=data.ecf_map,
        )
        if not options.uses_train:
            scored = [split for split, rows in corpus.rows.items() if split != "train" and len(explanation_table(rows))]
            return corpus.require_explanations(split=scored[0] if scored else "test")
        if options.model.shots:
            return corpus.require_explanations(
                f"--shots {options.model.shots} takes its examples from there: leave it out, or choose a corpus with "
                "explanations of train."
            )
        return corpus.require_explanations()

    def warnings(self, options: ExplanationTrainingOptions, corpus: Corpus) -> list[str]:
        """That no epoch is selected, or that nothing is scored."""
        said = []
        if options.model.tuning != "none" and _selection_split(corpus) == NO_EPOCH_CHOSEN:
            said.append("There is no validation split with explanations: the last epoch is kept, whatever its loss.")
        if not any(len(explanation_table(rows)) for split, rows in corpus.rows.items() if split != "train"):
            said.append("Nothing is scored: neither validation nor test has explanations.")
        return said

    def score_more(
        self,
        options: ExplanationTrainingOptions,
        corpus: Corpus,
        task: TrainingTask,
        accelerator: Accelerator,
        folder: RunFolder,
    ) -> dict[str, ScoredSplit] | None:
        """Writes the explanations of validation and test."""
        written = written_explanations(options, task, accelerator, folder)
        if written is None:
            return None
        none = np.zeros((0, 2))
        return {
            f"{split}_texts": ScoredSplit(
                none, float("nan"), texts=of_split.texts, n_unended=of_split.n_unended, seconds=of_split.seconds
            )
            for split, of_split in written.items()
        }

    def results(self, done: FinishedRun[ExplanationTrainingOptions]) -> RunResults:
        """Scores the texts beside the structural rows."""
        # Imported late, as the libraries of the scores are needed at the end alone.
        from iemomecp_dataset.benchmark.runs.explanation_results import explanation_run_results

        recorded, extra = done.recorded(), done.further_keys()
        for name in ("utterance_features", "feature_source"):
            recorded.pop(name)
        texts = _texts(done)
        recorded["wall_seconds"] += sum(done.scored[f"{split}_texts"].seconds for split in texts)
        recorded["more_counts"] = {
            split: {
                **counts,
                **({"unended_explanations": done.scored[f"{split}_texts"].n_unended} if split in texts else {}),
            }
            for split, counts in recorded["more_counts"].items()
        }
        # Beside the scores of the texts, never among them.
        extra["token_losses"] = {
            split: dict(token_loss_selection(done.scored[split].probabilities).scores) for split in texts
        }
        causes = done.task.strategy.causes  # type: ignore[attr-defined]
        if causes is not None:
            extra["leaks"] = [*extra["leaks"], *notes_of_run(str(done.options.model.causes_from))]
        remarks = [*done.remarks, *_remarks_on_prompts(done)]
        if remarks:
            extra["remarks"] = remarks
        return explanation_run_results(
            done.corpus,
            texts,
            objective=_objective(done.options, done.task.model.config.tuning),
            causes=done.options.model.causes,
            predicted_causes=None if causes is None else causes_of_items(done.corpus, causes, texts),
            epoch_chosen_on=_epoch_chosen_on(done),
            extra=extra,
            **recorded,
        )

    def write(self, folder: Path, done: FinishedRun[ExplanationTrainingOptions]) -> None:
        """Writes a predictions file for each split."""
        from iemomecp_dataset.benchmark.runs.explanation_results import write_explanation_run_predictions

        for split, texts in _texts(done).items():
            write_explanation_run_predictions(folder, done.corpus, split, texts, epoch_chosen_on=_epoch_chosen_on(done))


def _texts(done: FinishedRun[ExplanationTrainingOptions]) -> dict[str, tuple[str, ...]]:
    """What was written, by split."""
    return {
        name.removesuffix("_texts"): scores.texts for name, scores in done.scored.items() if scores.texts is not None
    }


def _remarks_on_prompts(done: FinishedRun[ExplanationTrainingOptions]) -> list[str]:
    sizes = {split: len(examples) for split, examples in done.task.examples.items()}
    return remarks_on_prompts(done.options, done.task.truncated, sizes)


def _selection_split(corpus: Corpus) -> str:
    """Where the epoch is chosen, or that the last one is kept."""
    return "validation" if len(explanation_table(corpus.rows.get("validation", []))) else NO_EPOCH_CHOSEN


def _epoch_chosen_on(done: FinishedRun[ExplanationTrainingOptions]) -> str | None:
    """Where the epoch of the weights was chosen, in this run or in the one that it begins with; None: unknown."""
    model = done.options.model
    if model.tuning != "none":
        return _selection_split(done.corpus)
    return earlier_epoch_split(model.init_from, done.corpus) if model.init_from else NO_EPOCH_CHOSEN


def _objective(options: ExplanationTrainingOptions, tuned: str) -> str:
    """Names how the model came to write as it does.

    Args:
        options: The run's options.
        tuned: How its weights were tuned, in this run or before.

    Example:
        >>> asked = [{"tuning": "lora"}, {"tuning": "none"}, {"tuning": "none", "shots": 3}]
        >>> [_objective(ExplanationTrainingOptions.from_flat(values), values["tuning"]) for values in asked]
        ['lora', 'zero-shot', '3-shot']
        >>> _objective(ExplanationTrainingOptions.from_flat({"tuning": "none"}), "lora")
        'lora as trained before'
    """
    if options.model.tuning != "none":
        return options.model.tuning
    shots = f"{options.model.shots}-shot" if options.model.shots else ""
    before = "" if tuned == "none" else f"{tuned} as trained before"
    return ", ".join(filter(None, (before, shots))) or "zero-shot"
