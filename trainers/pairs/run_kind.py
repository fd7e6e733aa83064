"""A run of a pair scorer: candidate pairs and their decision rule, scored and recorded."""

from __future__ import annotations

import logging
from pathlib import Path

from accelerate import Accelerator

from iemomecp_dataset.benchmark.runs.results import Decision, RunResults, run_results, write_run_predictions
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.folds import fold_corpus, read_folds
from iemomecp_dataset.trainers.compositions import OBJECTIVES
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.pairs.config import set_decision, set_training_data
from iemomecp_dataset.trainers.pairs.further_corpora import further_remarks, with_further_corpora
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_kind import FinishedRun
from iemomecp_dataset.trainers.training.emotions import (
    categories_left_out,
    emotion_category_scores,
    no_categories,
    target_emotions,
)
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.loop import score_examples
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["PairRun"]

_logger = logging.getLogger(__name__)


class PairRun:
    """A :class:`~iemomecp_dataset.trainers.run_kind.RunKind`."""

    def corpus(self, options: TrainingOptions, given: Corpus | None) -> Corpus:
        """Loads the corpus with its candidate pairs, or takes the given one; of a fold, the data of that fold.

        What is mixed into its train split comes with it.

        Raises:
            UsageError: It has no pairs, or further corpora do not fit it.
            InvalidDataError: The folds are of another corpus.
        """
        data = options.data
        corpus = given or load_corpus(
            data.config_name,
            str(data.data_dir),
            candidates=data.candidates,
            forward_pairs=data.forward_pairs,
            emotions=data.emotions,
            for_training=data.folds is None,
        )
        corpus.require_pairs()
        if data.folds is not None and data.fold is not None:
            folds = read_folds(data.folds)
            folds.check_corpus(corpus, data.folds)
            corpus = fold_corpus(corpus, folds, data.fold)
        # Last, so that what is left out of further corpora is what the validation and test of this run have.
        corpus = with_further_corpora(corpus, data)
        for remark in further_remarks(corpus):
            _logger.info("%s", remark)
        return corpus

    def warnings(self, options: TrainingOptions, corpus: Corpus) -> list[str]:
        """That nothing is scored, or that a corrupted view holds words of what it zeroes, where that is so."""
        found = _words_in_context(options)
        if not corpus.rows.keys() - {"train"}:
            found.append(
                "Nothing is scored: there is neither validation nor test. Epoch and threshold are chosen on train."
            )
        return found

    def score_more(
        self, options: TrainingOptions, corpus: Corpus, task: TrainingTask, accelerator: Accelerator, folder: RunFolder
    ) -> dict[str, ScoredSplit]:
        """Scores the test split with the candidates' evidence removed, where that is asked for."""
        if not options.run.evidence_removal or task.without_evidence is None:
            return {}
        if "test" not in task.examples:
            _logger.warning("--evidence_removal scores the test split, which %s lacks.", options.data.data_dir)
            return {}
        size = options.optimization.eval_batch_size
        return {
            "test_removed": score_examples(
                accelerator, task.without_evidence, task.model, task.examples["test"], batch_size=size
            )
        }

    def results(self, done: FinishedRun[TrainingOptions]) -> RunResults:
        """Scores the pairs beside the structural baselines."""
        corpus, scored, extra = done.corpus, done.scored, done.further_keys()
        reported = [split for split in scored if split in corpus.tables and split != "train"]
        emotions = {split: scored[split].emotions for split in reported}
        names = getattr(done.task.model.config, "emotion_names", None)
        remarks = [*further_remarks(corpus), *_words_in_context(done.options)]
        if names:
            remarks += categories_left_out(corpus)
        elif done.task.took_effect and done.options.objective.emotion_category_weight is None:
            remarks += [why] if (why := no_categories(corpus)) is not None else []
        if remarks:
            extra["remarks"] = [*extra.get("remarks", ()), *remarks]
        if names:
            # Beside the pair scores, never among them.
            extra["emotion_categories"] = {
                split: emotion_category_scores(of_split, names, corpus.rows[split])
                for split, of_split in emotions.items()
                if of_split is not None
            }
        return run_results(
            corpus,
            {split: scored[split].probabilities for split in reported},
            _decision(done),
            objective=done.options.objective.objective,
            epoch_chosen_on=corpus.selection_split,
            extra=extra,
            emotional=None if done.task.emotion_inputs is None else done.task.emotion_inputs.emotional,
            **done.recorded(),
        )

    def write(self, folder: Path, done: FinishedRun[TrainingOptions]) -> None:
        """Writes a predictions file for each split; into the model's configuration its decision rule and its data."""
        corpus, decision = done.corpus, _decision(done)
        for name, scores in done.scored.items():
            if name == "train":
                continue
            split = name.removesuffix("_removed")
            write_run_predictions(
                folder,
                corpus,
                split,
                scores.probabilities,
                decision,
                name=name,
                epoch_chosen_on=corpus.selection_split,
                emotions=None
                if scores.emotions is None
                else target_emotions(scores.emotions, done.task.model.config.emotion_names, corpus.rows[split]),
                evidence="candidate removed" if name != split else None,
            )
        set_decision(done.task.model.config, decision.threshold)
        set_training_data(done.task.model.config, corpus)


def _words_in_context(options: TrainingOptions) -> list[str]:
    """States what a corrupted view is where texts are encoded together; nothing for other runs."""
    model, name = options.model, options.objective.objective
    together = (model.text_context, model.text_context_after, model.text_block) != (0, 0, 1)
    if not (together and OBJECTIVES[name].corruption):
        return []
    return [
        f"The objective {name} zeroes utterances, but their words are in the vectors of those that the text encoder "
        "has read with them (--text_context, --text_context_after, --text_block): its corrupted view hides less than "
        "with utterances that are encoded alone."
    ]


def _decision(done: FinishedRun[TrainingOptions]) -> Decision:
    """The threshold and where it was chosen; for argmax neither."""
    optimization, threshold = done.options.optimization, done.progress.threshold
    if optimization.decision == "argmax":
        return Decision(threshold, None)
    fixed = optimization.threshold is not None
    return Decision(threshold, "fixed" if fixed else done.corpus.selection_split)
