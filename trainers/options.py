"""Every option of a training run, with its type, default, bounds and where that default comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from textwrap import fill
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, get_args

from iemomecp_dataset import command_line
from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.command_line import REQUIRED, check_values, command_hint, option
from iemomecp_dataset.errors import UsageError, did_you_mean, require_packages, see_page
from iemomecp_dataset.options import DialogueConfig, EmotionInventory, ForwardPairs, ThresholdRule
from iemomecp_dataset.schema import ModalitySet
from iemomecp_dataset.trainers.compositions import OBJECTIVES
from iemomecp_dataset.trainers.scorers import find_scorer, scorer_names, scorers

__all__ = [
    "CATEGORY_WEIGHT",
    "PAIR_LAYERS",
    "R_DROP_WEIGHT",
    "DataOptions",
    "DataSettings",
    "EncoderOptions",
    "ModelOptions",
    "ModelSettings",
    "ObjectiveOptions",
    "OptimizationOptions",
    "RunOptions",
    "RunSettings",
    "SharedData",
    "SharedOptimization",
    "SharedRun",
    "TrainingOptions",
    "circumstances",
    "launcher_options",
    "launcher_precision",
    "told_by_results",
]

# Chosen by cross-validation, docs/results.md.
CATEGORY_WEIGHT = 0.5
"""Weight of the cross entropy of emotion categories where none is given."""
R_DROP_WEIGHT = 1.0
"""Weight of R-Drop where none is given."""
PAIR_LAYERS = 6
"""How many encoder layers scorers of pairs pool where none are named."""

ObjectiveName = Literal[
    "base",
    "rpcl",
    "cdmr",
    "ccps",
    "fixed_margin",
    "utterance_dropout",
    "rpcl_no_consistency",
    "rpcl_no_corrupted_supervision",
    "rpcl_fixed_margin",
    "rpcl_all_negatives",
]
OBJECTIVE_NAMES: tuple[ObjectiveName, ...] = get_args(ObjectiveName)

SegmentPooling = Literal["pooler", "first_token", "mean"]

PairScorerName = Literal["mlp", "biaffine"]

Precision = Literal["no", "bf16", "fp16"]

Tracker = Literal["aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio", "wandb"]


@dataclass(frozen=True)
class SharedData:
    """Which dialogues, for every kind of run."""

    _group = "data"

    data_dir: str | None = option(
        None, "Folder of the corpus, as for load_dataset. Required.", setting="data_fingerprint"
    )
    config_name: DialogueConfig = option("3class", "Configuration of the corpus.", setting="config_name")
    emotions: EmotionInventory = option(
        "corpus",
        "Emotions of the utterances: the corpus's own, or the common ones, which all corpora have.",
    )
    modalities: ModalitySet = option("t", "Modalities that the model uses: t for text, a for audio, v for video.")
    audio_features: str | None = option(
        None,
        "Feature store, or Parquet file with utterance_id and vector. Default: features/audio.parquet or "
        "features/audio in the data folder.",
        setting="features",
    )
    video_features: str | None = option(
        None,
        "Feature store, or Parquet file with utterance_id and vector. Default: features/video.parquet or "
        "features/video in the data folder.",
        setting="features",
    )
    max_missing_features: float = option(
        0.01,
        "Share of utterances that may lack a feature vector (the model gets a mask); more is an error.",
        minimum=0.0,
        maximum=1.0,
        setting="features",
    )

    def stores(self) -> dict[str, str | None]:
        """By stream of feature vectors that the run reads, the store that is given, or None for the default place."""
        given = {"audio": self.audio_features, "video": self.video_features}
        return {stream: path for stream, path in given.items() if stream[0] in self.modalities}

    @property
    def encodes_text(self) -> bool:
        """Whether a text encoder is loaded."""
        return "t" in self.modalities


@dataclass(frozen=True)
class DataOptions(SharedData):
    """Which dialogues, and which of their pairs."""

    candidates: CandidateSpace | None = option(
        None,
        "Candidate pairs of the corpora other than IEMO-MECP: all (their default) or past (cause <= target).",
        setting="candidates",
    )
    forward_pairs: ForwardPairs | None = option(
        None,
        "source_binary: as_published (its default; forward pairs are gold non_pair) or gold.",
        setting="signatures",
    )
    folds: str | None = option(
        None,
        "File of folds, which iemomecp cross-validate makes: the run is scored on one fold, as its test split, and "
        "trained on the others.",
        setting="data_fingerprint",
        metavar="FILE",
    )
    fold: int | None = option(
        None, "With --folds: the fold that is scored, from 1.", minimum=1, limit=100_000, setting="data_fingerprint"
    )
    train_with: tuple[str, ...] = option(
        (),
        "Dialogue scorer: train on dialogues of these corpora, too, such as reccon=DIR, or mecad:validation=DIR for "
        "another split than train. Validation and test stay the corpus's own, and dialogues that they have are left "
        "out.",
        metavar="CORPUS=DIR",
        setting="trained_with",
    )
    train_with_weights: tuple[str, ...] = option(
        (),
        "Dialogues of a further corpus in an epoch, as a share of those that there are, such as reccon=0.5: another "
        "half of them in each epoch. Default: 1, all of them.",
        metavar="CORPUS=WEIGHT",
        setting="trained_with",
    )
    train_with_other_languages: bool = option(
        False,
        "Take further corpora in other languages, too; the text encoder has to know them.",
        setting="trained_with",
    )


@dataclass(frozen=True)
class EncoderOptions:
    """Which model, and on which text encoder, for every kind of run."""

    _group = "model"

    scorer: str = option(REQUIRED, "The model.")
    text_encoder: str = option(
        "FacebookAI/roberta-base",
        "Text encoder: a folder or a model name on the Hub (arXiv 2606.18893 uses RoBERTa-base).",
        setting="features",
    )
    encoder_mode: Literal["trained", "frozen"] = option(
        "trained", "trained: the encoder is trained with the scorer; frozen: its features are computed once and cached."
    )
    init_from: str | None = option(
        None,
        "Initialise from the weights of this finished run: from one with --encoder_mode frozen, to train the encoder "
        "once the head is trained (arXiv 2202.10054), or from one on another corpus.",
        setting="initialized_from",
    )
    frozen_layers: int = option(
        0,
        "Number of lowest layers of a trained encoder that are not updated, its embeddings included: less to compute "
        "and less overfitting on a small corpus. 0 trains everything.",
        minimum=0,
    )
    text_layers: str = option(
        "auto",
        "Encoder layers to mean-pool and concatenate, comma-separated, negative from the top; auto: at even steps up "
        f"to the top, {PAIR_LAYERS} for scorers of pairs, 3 (thirds) where emotions alone are recognised. With "
        "sentence encoders the top layer alone loses several points of AUPRC.",
    )
    max_tokens: int = option(
        128,
        "Tokens per utterance (512 in arXiv 2606.18893), or with --scorer isolated per pair; longer texts are cut and "
        "counted.",
        minimum=2,
    )

    @property
    def text_streams(self) -> tuple[str, ...]:
        """What the text encoder gives to the model."""
        return ("text",)


@dataclass(frozen=True)
class ModelOptions(EncoderOptions):
    """Which pair scorer."""

    scorer: str = option(
        "dialogue",
        "dialogue encodes each utterance once and scores all pairs; isolated encodes and scores each pair.",
        metavar=f"{{{','.join(scorer_names())}}}",
    )
    segment_pooling: SegmentPooling = option(
        "pooler",
        "Isolated scorer: how the text of a pair is pooled into a vector: pooler (the encoder's own, as published), "
        "first_token or mean.",
    )
    text_context: int = option(
        0,
        "Dialogue scorer: turns before an utterance (or its block) that the text encoder reads with it in one sequence "
        "of --max_tokens, as systems for emotion recognition do (EmoBERTa, arXiv 2108.12009). An utterance is pooled "
        "over its own tokens; turns for which there is no room, the farthest, are left out and counted.",
        minimum=0,
        limit=1000,
    )
    text_context_after: int = option(0, "The same of turns after it.", minimum=0, limit=1000)
    text_block: int = option(
        1,
        "Dialogue scorer: consecutive utterances whose vectors come from one sequence, so that the encoder reads each "
        "once and they see one another; fewer, counted, where --max_tokens has no room for them. 1: a sequence for "
        "each utterance.",
        minimum=1,
        limit=1000,
    )
    text_alone: bool = option(
        False,
        "Dialogue scorer: with the options above, also encode each utterance alone, and use both vectors: a frozen "
        "sentence encoder is not trained on several turns at once, and loses some of what it knows of each.",
    )
    hidden_size: int = option(
        256,
        "Width of the dialogue transformer (400 in arXiv 2606.18893), or of the isolated scorer's audio and video "
        "branches.",
        minimum=1,
        limit=65536,
    )
    num_layers: int = option(
        2, "Layers of the dialogue transformer; 0 scores utterances without context.", minimum=0, limit=1000
    )
    num_heads: int = option(4, "Attention heads of the dialogue transformer.", minimum=1)
    dropout: float = option(0.4, "Dropout in the scorer.", minimum=0.0, below=1.0)
    pair_scorer: PairScorerName = option(
        "mlp",
        "Head of the dialogue scorer: mlp (a hidden layer over target, cause, distance and speakers, and a low-rank "
        "bilinear term) or biaffine (arXiv 1611.01734).",
    )
    pair_size: int = option(256, "Width of the pair scorer's hidden layer.", minimum=1, limit=65536)
    bilinear_size: int = option(
        128, "Rank of the bilinear term of the pair scorer mlp; 0 for none.", minimum=0, limit=65536
    )
    pair_refinement: bool = option(
        True,
        "Dialogue scorer: score each pair a second time, given the first scores of the target's other candidates and "
        "of both utterances with themselves.",
    )
    max_distance: int = option(12, "Turn distances beyond it share an embedding.", minimum=1, limit=1_000_000)
    emotion_from: str | None = option(
        None,
        "Dialogue scorer: folder of a finished run that recognises the emotions of the same utterances. P(emotion) of "
        "each utterance becomes an input, and its P(not neutral) a further emotion x distance baseline. The run needs "
        "predictions on train that are cross-fitted (--train_folds).",
        setting="features",
    )
    corpus_embedding: bool = option(
        False,
        "Dialogue scorer with --train_with: a learned vector for each corpus, added to its utterances, so that habits "
        "of annotation need not be shared. New dialogues are scored as those of --config_name.",
    )
    distance_prior: bool = option(
        True,
        "Dialogue scorer: initialise with the class rates on train at each turn distance, so that only what goes "
        "beyond distance has to be learned; otherwise all distances are initialised alike.",
    )


@dataclass(frozen=True)
class ObjectiveOptions:
    """What is optimised. The numbers are arXiv 2606.18893's one setting for every corpus."""

    _group = "objective"

    objective: ObjectiveName = option("base", "Training objective.")
    base_margin: float = option(0.05, "m0 of the margin ranking (Eq. 9).", minimum=0.0, limit=1e6)
    top_k: int = option(8, "Hard negatives per target (Eq. 7).", minimum=1)
    corruption_rate: float = option(
        0.30, "rho: probability of zeroing an unprotected utterance (Eq. 13).", minimum=0.0, maximum=1.0
    )
    corruption_point: Literal["scorer_input", "dialogue_input"] = option(
        "scorer_input",
        "Where the corrupted view begins: scorer_input (the paper's; without --pair_refinement a zeroed utterance "
        "changes only its own pairs, none of them gold) or dialogue_input (before the dialogue transformer: the "
        "context of gold pairs changes too).",
    )
    ranking_weight: float = option(0.3, "lambda_row (Eq. 17).", minimum=0.0, limit=1e6)
    corrupted_supervision_weight: float = option(0.75, "lambda_cor (Eq. 14).", minimum=0.0, limit=1e6)
    alignment_weight: float = option(0.2, "lambda_ali (Eq. 15).", minimum=0.0, limit=1e6)
    context_ranking_weight: float = option(
        0.0,
        "3class: weight of a second margin ranking, of P(emo_context) of the emo_context pairs; this package's "
        "extension.",
        minimum=0.0,
        limit=1e6,
    )
    r_drop_weight: float | None = option(
        None,
        "Dialogue scorer: weight of the divergence between two passes over each mini-batch with different dropout, "
        "both of which are trained on (R-Drop, arXiv 2106.14448, alpha). A step costs twice as much. 0: one pass. "
        f"Default: {R_DROP_WEIGHT:g}; 0 without --dropout, and for scorers of one's own.",
        minimum=0.0,
        limit=1e6,
    )
    class_weighting: Literal["auto", "none", "sqrt"] = option(
        "auto",
        "Weights of the pair classes in the supervised loss: none (Eq. 16), sqrt (min(10, sqrt(mean count / count)), "
        "arXiv 2605.25208), or auto: sqrt for the three-role task, none for two classes.",
    )
    emotion_target: Literal["non_neutral", "gold_target"] = option(
        "non_neutral",
        "Label of the emotion head: non_neutral where the corpus labels emotions, or gold_target (of a gold pair).",
    )
    emotion_category_weight: float | None = option(
        None,
        "Dialogue scorer: weight of the cross entropy of the utterances' emotion categories. Above 0 a head predicts "
        "them, and the predictions name the target's emotion, which definitions C and D of Pair F1 need: its most "
        "probable category but neutral, as a pair states that its target has an emotion. 0: no head. "
        f"Default: {CATEGORY_WEIGHT:g}; 0 where the train split has no categories, and for scorers of one's own.",
        minimum=0.0,
        limit=1e6,
    )


@dataclass(frozen=True)
class SharedOptimization:
    """How it is optimised, for every kind of run."""

    _group = "optimisation"

    epochs: int = option(30, "Largest number of epochs (arXiv 2606.18893).", minimum=1)
    patience: int = option(
        5,
        "Epochs without a better validation score before training stops (arXiv 2606.18893); 0 for no early stopping.",
        minimum=0,
    )
    batch_size: int = option(
        8,
        "Dialogues (32 in arXiv 2606.18893), or with --scorer isolated pairs, per step and process.",
        minimum=1,
        setting="effective_batch_size",
    )
    eval_batch_size: int = option(32, "Dialogues, or pairs, per evaluation batch.", minimum=1, setting=False)
    gradient_accumulation_steps: int = option(
        1, "Batches per optimizer step.", minimum=1, setting="effective_batch_size"
    )
    learning_rate: float = option(
        1e-3,
        "Learning rate of the scorer (5e-5 in arXiv 2606.18893, which underfits a small corpus with a frozen encoder).",
        above=0.0,
        limit=10.0,
    )
    encoder_learning_rate: float = option(
        1e-5, "Learning rate of a trained text encoder (arXiv 2606.18893).", above=0.0, limit=10.0
    )
    layer_decay: float = option(
        1.0,
        "Factor of the trained encoder's learning rate from each layer to the one below it, down to its embeddings: "
        "lower layers change less (arXiv 1801.06146, where it is 1 / 2.6). 1: all alike.",
        above=0.0,
        maximum=1.0,
    )
    weight_decay: float = option(1e-4, "Weight decay of AdamW (arXiv 2606.18893).", minimum=0.0, limit=1e6)
    decay_everything: bool = option(
        True, "Weight decay on all parameters, as published; otherwise not on biases and gains of norms."
    )
    warmup_ratio: float = option(
        0.1,
        "Share of all steps in which the learning rates rise; then they fall linearly.",
        minimum=0.0,
        maximum=1.0,
    )
    max_grad_norm: float | None = option(
        1.0, "Largest norm of the gradient, which is clipped (arXiv 2606.18893); none: not clipped.", above=0.0
    )
    weight_averaging: float = option(
        0.995,
        "Decay of the exponential moving average of the weights that is evaluated and kept; 0 for none.",
        minimum=0.0,
        below=1.0,
    )
    mixed_precision: Precision = option(
        "no",
        "Mixed precision. That of accelerate launch is used where this is not given, and must not differ from it.",
        setting="precision",
    )
    gradient_checkpointing: bool = option(
        False,
        "Compute the activations of the trained encoder's layers again in the backward pass in place of keeping them: "
        "less memory and about a third more time, for the same losses.",
        setting=False,
    )

    @property
    def step_size(self) -> tuple[str, int]:
        """Name and value of the option that says how much goes into a step of one process."""
        return "batch_size", self.batch_size


@dataclass(frozen=True)
class OptimizationOptions(SharedOptimization):
    """How a pair scorer is optimised, and pairs decided."""

    selection: Literal["pair_f1", "pair_auprc", "macro_f1"] = option(
        "pair_f1",
        "Validation score that selects the epoch; pair_f1 and macro_f1 use the rule of --decision.",
    )
    decision: Literal["threshold", "argmax"] = option(
        "threshold",
        "Decision rule: threshold (positive if P(class 0) reaches a threshold) or argmax (the most probable class).",
    )
    batch_tokens: int | None = option(
        None,
        "Isolated scorer: in place of random batches of --batch_size, length-bucketed batches of at most N padded "
        "tokens, which is faster.",
        minimum=1,
        setting="effective_batch_size",
    )
    threshold: float | None = option(
        None,
        "Decision threshold on P(class 0), with --decision threshold. Default: chosen on validation.",
        minimum=0.0,
        maximum=1.0,
    )
    threshold_rule: ThresholdRule = option(
        "best",
        "How the threshold is chosen on validation: best (largest pair F1), bagged (mean of the best of resampled "
        "dialogues), expected_f1 (largest expected pair F1 under calibrated probabilities) or expected_f1_uncalibrated "
        "(the same of the probabilities as they are).",
    )

    @property
    def step_size(self) -> tuple[str, int]:
        """The same; padded tokens where they limit a mini-batch."""
        return super().step_size if self.batch_tokens is None else ("batch_tokens", self.batch_tokens)


@dataclass(frozen=True)
class SharedRun:
    """Where and how a run of any kind happens."""

    _group = "run"

    output_dir: str | None = option(None, "Run folder. Required.", setting=False)
    seed: int = option(42, "Seed of all random numbers.", minimum=0, maximum=2**32 - 1, setting="seed")
    run_name: str | None = option(None, "Name in tables; by default made of the settings.", setting=False)
    cache_dir: str | None = option(
        None, "Folder that frozen text features are cached in. Default: ~/.cache/iemomecp.", setting=False
    )
    log_with: Tracker | None = option(
        None, f"A tracker of accelerate that gets the log, too{see_page('docs/trackers.md')}.", setting=False
    )
    max_hours: float | None = option(
        None,
        "Stop after the step that passes this many hours, with a checkpoint; starting the same command again continues "
        "the run.",
        above=0.0,
        setting=False,
    )
    checkpoint_steps: int = option(
        0,
        "Write a checkpoint after every N optimizer steps of an epoch, besides those at the end of each epoch; 0 for "
        "those alone. A run that is killed repeats what came after its newest checkpoint.",
        minimum=0,
        setting=False,
    )
    deterministic: bool = option(
        False, "Only deterministic kernels (slower on GPUs; CPUs are deterministic anyway).", setting=False
    )
    quiet: bool = option(False, "No progress bars.", setting=False)


@dataclass(frozen=True)
class RunOptions(SharedRun):
    """Where and how the run of a pair scorer happens."""

    evidence_removal: bool = option(
        False,
        "Isolated scorer: also score the test split with the candidate's text and vectors removed, into "
        "predictions_test_removed.parquet (arXiv 2605.25208).",
        setting=False,
    )


class DataSettings(Protocol):
    """What the options of every kind of run state of its data."""

    @property
    def data_dir(self) -> str | None:
        """Folder of the corpus."""

    @property
    def config_name(self) -> str:
        """Configuration of the corpus."""

    @property
    def modalities(self) -> ModalitySet:
        """Letters of what the model uses."""

    @property
    def encodes_text(self) -> bool:
        """Whether a text encoder or language model is loaded."""

    def stores(self) -> dict[str, str | None]:
        """By stream of feature vectors the store, or None for the default place."""


class ModelSettings(Protocol):
    """What the options of every kind of run state of its model."""

    @property
    def scorer(self) -> str:
        """The model."""

    @property
    def text_encoder(self) -> str:
        """The text encoder or language model."""

    @property
    def encoder_mode(self) -> str:
        """Whether it is trained or frozen."""

    @property
    def init_from(self) -> str | None:
        """The run whose weights it begins with."""

    @property
    def frozen_layers(self) -> int:
        """Lowest layers that are not trained."""

    @property
    def text_streams(self) -> tuple[str, ...]:
        """What it gives to the model."""


class RunSettings:
    """All options of one run, in sections, whatever the kind of run; each kind is a dataclass of its sections.

    Attributes:
        task: What is trained: :data:`~iemomecp_dataset.benchmark.runs.results.PAIRS`, ``ERC`` or ``EXPLANATION``.
        command: A command that takes these options, for messages.
    """

    task: ClassVar[str]
    command: ClassVar[str]

    if TYPE_CHECKING:

        @property
        def data(self) -> DataSettings:
            """Which dialogues."""

        @property
        def model(self) -> ModelSettings:
            """Which model."""

        @property
        def optimization(self) -> SharedOptimization:
            """How it is optimised."""

        @property
        def run(self) -> SharedRun:
            """Where and how the run happens."""

    @classmethod
    def default_scorer(cls) -> str:
        """The model that is trained where none is named."""
        scorer: str = cls.sections()["model"].__dataclass_fields__["scorer"].default
        return scorer

    @classmethod
    def sections(cls) -> dict[str, type[Any]]:
        """The dataclass of each section."""
        return {section.name: section.default_factory for section in fields(cls)}  # type: ignore[arg-type, misc]

    @classmethod
    def defaults_for(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Options that the chosen model or protocol sets, where they are not given.

        Args:
            values: Options that are given.

        Raises:
            UsageError: There is no such model.
        """
        raise NotImplementedError

    @classmethod
    def options_of_data(cls, data: Any) -> dict[str, Any]:
        """Options that dialogues in memory tell.

        Args:
            data: By split a :class:`datasets.Dataset`, or rows.
        """
        return {}

    @classmethod
    def notes(cls) -> str:
        """What ``--help`` shows last: which models or protocols set which options."""
        return ""

    @property
    def uses_train(self) -> bool:
        """Whether the train split is read: to learn from it, or for examples."""
        return True

    def without_effect(self) -> frozenset[str]:
        """Names of options that this run does not use: neither settings of its system nor facts about it."""
        return frozenset()

    def after(self, seconds: float) -> Self:
        """The same options for what is left of a session.

        Args:
            seconds: How long it has lasted.
        """
        hours = self.run.max_hours
        if hours is None:
            return self
        run = replace(self.run, max_hours=max(hours - seconds / 3600, 1e-9))
        return replace(self, run=run)  # type: ignore[type-var]

    def flat(self) -> dict[str, Any]:
        """All options by name, as ``config.yaml`` holds them."""
        return {name: value for section in asdict(self).values() for name, value in section.items()}  # type: ignore[call-overload]

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Builds the sections from options by name.

        Raises:
            UsageError: There is no option of some name.
        """
        sections = cls.sections()
        known = {option.name: name for name, section in sections.items() for option in fields(section)}
        for name in values:
            if name not in known:
                listed = f"See {command_hint(cls.command, '--help')}."
                raise UsageError(f"There is no option {name!r}. {did_you_mean(name, known, see=listed)}")
        return cls(
            **{
                name: section(**{n: v for n, v in values.items() if known[n] == name})
                for name, section in sections.items()
            }
        )

    def check(self, *, with_data: bool = True) -> None:
        """Refuses values that do not fit, and options that cannot work together.

        Args:
            with_data: Whether the options have to say where the data is.

        Raises:
            UsageError: Says which, and the way out.
        """
        check_values(self)
        scorer = find_scorer(self.model.scorer)
        if scorer.task != self.task:
            raise UsageError(
                f"--scorer {scorer.name} is not a model of this command. It has {', '.join(scorer_names(self.task))}."
            )
        if with_data and not self.data.data_dir:
            raise UsageError("--data_dir is missing: give the folder of the corpus, as for load_dataset.")
        if not self.run.output_dir:
            raise UsageError("--output_dir is missing: give the folder that the run is written to.")
        scorer.check(self)
        if self.model.frozen_layers and self.model.encoder_mode == "frozen":
            raise UsageError(
                f"--frozen_layers {self.model.frozen_layers} applies to a trained encoder, but --encoder_mode frozen "
                "trains none of its layers. Leave one of them out."
            )
        if self.optimization.layer_decay != 1.0 and (self.model.encoder_mode == "frozen" or not self.data.encodes_text):
            raise UsageError(
                f"--layer_decay {self.optimization.layer_decay:g} applies to the layers of a trained encoder, but this "
                "run trains none. Leave it out."
            )
        self._check_recomputing()

    def _check_recomputing(self) -> None:
        """Refuses to recompute layers of an encoder that nothing is computed back through."""
        if not self.optimization.gradient_checkpointing:
            return
        asked = "--gradient_checkpointing recomputes the layers of a trained encoder"
        if not self.data.encodes_text:
            raise UsageError(f"{asked}, but this run encodes no text. Leave it out.")
        if self.model.encoder_mode == "frozen":
            raise UsageError(f"{asked}, but --encoder_mode frozen trains none of its layers. Leave one of them out.")


@dataclass(frozen=True)
class TrainingOptions(RunSettings):
    """A run of a pair scorer."""

    task: ClassVar[str] = "pairs"
    command: ClassVar[str] = "train fusion"

    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    objective: ObjectiveOptions = field(default_factory=ObjectiveOptions)
    optimization: OptimizationOptions = field(default_factory=OptimizationOptions)
    run: RunOptions = field(default_factory=RunOptions)

    @classmethod
    def defaults_for(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The protocol of the scorer, for the modalities."""
        scorer = find_scorer(str(values.get("scorer", ModelOptions.scorer)))
        return dict(scorer.protocol(str(values.get("modalities", DataOptions.modalities))))

    def without_effect(self) -> frozenset[str]:
        """The rule of a threshold, where none is chosen; terms of the loss that the isolated scorer lacks."""
        chosen = self.optimization.decision == "threshold" and self.optimization.threshold is None
        unused = frozenset() if chosen else frozenset({"threshold_rule"})
        return unused | {"emotion_category_weight", "r_drop_weight"} if self.model.scorer == "isolated" else unused

    @classmethod
    def notes(cls) -> str:
        """For each scorer with a protocol, the options that are not given."""
        notes = []
        for scorer in scorers(cls.task).values():
            settings, without_text = ({**scorer.protocol(modalities)} for modalities in ("t", "a"))
            if settings:
                shown = " ".join(f"--{name} {value}" for name, value in settings.items())
                other = " ".join(f"--{name} {value}" for name, value in without_text.items() if settings[name] != value)
                notes.append(
                    f"With --scorer {scorer.name}, options that are not given are those of {scorer.cite}:\n"
                    f"{fill(shown, 110, break_on_hyphens=False)}" + f"\n({other} without text)" * bool(other)
                )
        return "\n\n".join(notes)

    def check(self, *, with_data: bool = True) -> None:
        """Refuses values that do not fit, and options that cannot work together."""
        super().check(with_data=with_data)
        data, model, objective, optimization = self.data, self.model, self.objective, self.optimization
        self._check_further_corpora()
        taken = find_scorer(model.scorer).objectives
        if objective.objective not in taken:
            raise UsageError(
                f"--scorer {model.scorer} cannot be trained with --objective {objective.objective}; the objectives "
                f"that it takes: {', '.join(taken)}. Use --scorer dialogue, or --objective {taken[0]}."
            )
        if (data.folds is None) != (data.fold is None):
            given, lacking = ("--folds", "--fold") if data.fold is None else ("--fold", "--folds")
            raise UsageError(
                f"{given} goes with {lacking}: --folds names the file, --fold which of its folds is scored. Give both, "
                "or neither."
            )
        if data.folds is not None and model.emotion_from:
            raise UsageError(
                f"--emotion_from {model.emotion_from} has predicted the emotions of the corpus's own splits, of which "
                "--folds scores train dialogues as test. Leave one of the two out."
            )
        if objective.context_ranking_weight and not OBJECTIVES[objective.objective].ranking:
            raise UsageError(
                f"--context_ranking_weight {objective.context_ranking_weight:g} adds to a margin ranking, but the "
                f"objective {objective.objective!r} has none. Use --objective rpcl or another that ranks."
            )
        if objective.context_ranking_weight and data.config_name != "3class":
            raise UsageError(
                f"--context_ranking_weight {objective.context_ranking_weight:g} ranks emo_context pairs, which only "
                f"--config_name 3class has, not {data.config_name!r}. Leave it out."
            )
        if optimization.threshold is not None and optimization.decision == "argmax":
            raise UsageError(
                f"--decision argmax does not use --threshold {optimization.threshold:g}. Leave one out, or give "
                "--decision threshold."
            )
        if optimization.threshold_rule != "best" and "threshold_rule" in self.without_effect():
            given = (
                "--decision argmax" if optimization.decision == "argmax" else f"--threshold {optimization.threshold:g}"
            )
            raise UsageError(
                f"--threshold_rule {optimization.threshold_rule} chooses a threshold, but with {given} none is chosen. "
                "Leave one of them out."
            )
        if optimization.threshold_rule == "expected_f1":
            require_packages("sklearn", extra="report")  # it calibrates after an epoch, which would be lost

    def _check_further_corpora(self) -> None:
        """Refuses further corpora that cannot be read, and options that cannot go with them or need them."""
        # Imported here, so that --help is quick.
        from iemomecp_dataset.trainers.pairs.further_corpora import asked_corpora

        asked = asked_corpora(self.data.train_with, self.data.train_with_weights)
        if not asked:
            given = "train_with_other_languages" * self.data.train_with_other_languages
            given = given or "corpus_embedding" * self.model.corpus_embedding
            if given:
                raise UsageError(f"--{given} belongs to --train_with, which is not given. Leave it out.")
            return
        if not find_scorer(self.model.scorer).takes_further_corpora:
            raise UsageError(
                f"--train_with mixes whole dialogues into the epochs of the dialogue scorer; --scorer "
                f"{self.model.scorer} builds its examples itself. Leave it out, or use --scorer dialogue."
            )
        if self.data.modalities != "t":
            raise UsageError(
                f"--train_with mixes corpora by their texts, but --modalities {self.data.modalities} also reads "
                "features, which further corpora do not have here. Use --modalities t."
            )
        if self.model.emotion_from:
            raise UsageError(
                "--emotion_from has the emotions of one corpus, so that those of --train_with would lack. Leave one of "
                "them out."
            )


SECTIONS: dict[str, type[Any]] = TrainingOptions.sections()
"""The sections of a pair scorer's options."""


def circumstances(kind: type[RunSettings] = TrainingOptions) -> frozenset[str]:
    """Names of the options that say where and how a run happens: they may change when it is continued.

    Args:
        kind: The options of a kind of run.

    Example:
        >>> "output_dir" in circumstances(), "learning_rate" in circumstances()
        (True, False)
    """
    return command_line.circumstances(*kind.sections().values())


def told_by_results(kind: type[RunSettings] = TrainingOptions) -> dict[str, str]:
    """By option the field of ``results.json`` that tells what its value stands for.

    Args:
        kind: The options of a kind of run.

    Example:
        >>> told_by_results()["audio_features"], told_by_results()["batch_size"]
        ('features', 'effective_batch_size')
    """
    return command_line.told_by_results(*kind.sections().values())


def launcher_precision(environment: Mapping[str, str]) -> str | None:
    """Reads the mixed precision that ``accelerate launch`` was asked for.

    It passes its option, else that of its configuration file, to every process as ``ACCELERATE_MIXED_PRECISION``, and
    ``no`` where neither gives one: ``no`` therefore asks for nothing.

    Args:
        environment: The environment of the process.

    Example:
        >>> launcher_precision({"ACCELERATE_MIXED_PRECISION": "bf16"})
        'bf16'
        >>> launcher_precision({"ACCELERATE_MIXED_PRECISION": "no"})
    """
    asked = environment.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    return None if asked == "no" else asked


def launcher_options(given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Options that come from ``accelerate launch``: they win over defaults and must not contradict what is given.

    Args:
        given: Options of the run that somebody has given, by name.
        environment: The environment of the process; by default this one's.

    Returns:
        ``mixed_precision`` where the launcher was asked for one; otherwise nothing.

    Raises:
        UsageError: Training has no such precision, or the run is given another one.

    Example:
        >>> launcher_options({"seed": 1}, {"ACCELERATE_MIXED_PRECISION": "bf16"})
        {'mixed_precision': 'bf16'}
    """
    asked = launcher_precision(os.environ if environment is None else environment)
    if asked is None:
        return {}
    source = f"accelerate launch asks for the mixed precision {asked} (its option, its configuration file, or "
    source += "ACCELERATE_MIXED_PRECISION)"
    if asked not in get_args(Precision):
        raise UsageError(f"{source}, which training does not have. Use one of {', '.join(get_args(Precision))}.")
    own = given.get("mixed_precision", asked)
    if own != asked:
        raise UsageError(
            f"{source}, but --mixed_precision of the run is {own}. Give one of the two, or the same to both."
        )
    return {"mixed_precision": asked}
