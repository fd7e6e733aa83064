"""A run that trains emotion recognition: whole dialogues, predictions for every utterance, scored and recorded."""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator

from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results, write_emotion_run_predictions
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN
from iemomecp_dataset.trainers.emotions.cross_fitting import check_folds, cross_fitted
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_kind import FinishedRun
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["EmotionRun"]


class EmotionRun:
    """A :class:`~iemomecp_dataset.trainers.run_kind.RunKind`."""

    def corpus(self, options: EmotionTrainingOptions, given: Corpus | None) -> Corpus:
        """Loads the corpus, or takes the given one, and rejoins dialogues that are cut into chunks."""
        data = options.data
        corpus = given or load_corpus(
            data.config_name, str(data.data_dir), validation=data.validation, emotions=data.emotions
        )
        corpus.require_emotions()
        corpus = whole_corpus(corpus)
        check_folds(corpus, options.run.train_folds)
        return corpus

    def warnings(self, options: EmotionTrainingOptions, corpus: Corpus) -> list[str]:
        """That no epoch is selected, that nothing is scored, or that some emotions are not known."""
        tables = {split: emotion_table(rows) for split, rows in corpus.rows.items()}
        said = []
        if _selection_split(corpus) == NO_EPOCH_CHOSEN:
            said.append("There is no validation split with emotions: the last epoch is kept, whatever its scores.")
        if not any(table.labelled.any() for split, table in tables.items() if split != "train"):
            said.append("Nothing is scored: neither validation nor test has emotions.")
        unknown = {split: int((~table.labelled).sum()) for split, table in tables.items()}
        if any(unknown.values()):
            counts = ", ".join(f"{count} of {split}" for split, count in unknown.items() if count)
            said.append(f"Utterances whose emotion is not known are neither learned nor scored: {counts}.")
        return said

    def score_more(
        self,
        options: EmotionTrainingOptions,
        corpus: Corpus,
        task: TrainingTask,
        accelerator: Accelerator,
        folder: RunFolder,
    ) -> dict[str, ScoredSplit] | None:
        """Predicts the train split by cross-fitting, where that is asked for."""
        if not options.run.train_folds:
            return {}
        probabilities = cross_fitted(options, corpus, accelerator, folder)
        return None if probabilities is None else {"train": ScoredSplit(probabilities, float("nan"))}

    def results(self, done: FinishedRun[EmotionTrainingOptions]) -> RunResults:
        """Scores the utterances beside the structural rows."""
        recorded = done.recorded()
        return emotion_run_results(
            done.corpus,
            {split: scores.probabilities for split, scores in _reported(done).items()},
            objective=done.options.objective.protocol if done.options.model.scorer == "ecerc" else "",
            epoch_chosen_on=_selection_split(done.corpus),
            extra=done.further_keys(),
            **recorded,
        )

    def write(self, folder: Path, done: FinishedRun[EmotionTrainingOptions]) -> None:
        """Writes a predictions file for each split, and for train where it was cross-fitted."""
        reported = _reported(done)
        for split, scores in done.scored.items():
            if split in reported or split == "train":
                write_emotion_run_predictions(
                    folder,
                    done.corpus,
                    split,
                    scores.probabilities,
                    epoch_chosen_on=_selection_split(done.corpus),
                    cross_fitted_folds=done.options.run.train_folds if split == "train" else None,
                )


def _reported(done: FinishedRun[EmotionTrainingOptions]) -> dict[str, ScoredSplit]:
    """What was scored, but for splits of which no emotion is known."""
    return {
        split: scores
        for split, scores in done.scored.items()
        if split != "train" and emotion_table(done.corpus.rows[split]).labelled.any()
    }


def _selection_split(corpus: Corpus) -> str:
    """Where the epoch is chosen, or that the last one is kept."""
    known = "validation" in corpus.rows and emotion_table(corpus.rows["validation"]).labelled.any()
    return "validation" if known else NO_EPOCH_CHOSEN
