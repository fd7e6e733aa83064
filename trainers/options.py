"""Every option of a training run, typed, with its default and where that default comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.schema import MODALITY_SETS
from iemomecp_dataset.trainers.scorers import find_scorer

__all__ = [
    "DataOptions",
    "ModelOptions",
    "ObjectiveOptions",
    "OptimisationOptions",
    "RunOptions",
    "TrainingOptions",
]

OBJECTIVE_NAMES = (
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
)

WITHOUT_RANKING = ("base", "ccps", "utterance_dropout")
"""Those that have no margin ranking."""

SEGMENT_POOLINGS = ("pooler", "first_token", "mean")


def _option(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class DataOptions:
    """Which dialogues."""

    _argument_group_name = "data"

    data_dir: str | None = _option(None, "Folder of the corpus, as for load_dataset. Required.")
    config_name: str = _option("3class", "Configuration: 3class, source_binary, ecf, mecad, mec4 or reccon.")
    candidates: str | None = _option(
        None, "Candidate pairs of the corpora other than IEMO-MECP: all (their default) or past (cause <= target)."
    )
    forward_pairs: str | None = _option(
        None, "source_binary only: as_published (its default; forward pairs are gold non_pair) or gold."
    )
    modalities: str = _option("t", f"What the model hears and sees: {', '.join(MODALITY_SETS)}.")
    audio_features: str | None = _option(
        None,
        "Feature store, or Parquet file with utterance_id and vector. Default: features/audio.parquet or "
        "features/audio in the data folder.",
    )
    video_features: str | None = _option(
        None,
        "Feature store, or Parquet file with utterance_id and vector. Default: features/video.parquet or "
        "features/video in the data folder.",
    )
    max_missing_features: float = _option(
        0.01, "Share of utterances that may lack a feature vector (the model gets a mask); more is an error."
    )


@dataclass(frozen=True)
class ModelOptions:
    """Which model."""

    _argument_group_name = "model"

    scorer: str = _option(
        "dialogue", "dialogue: each utterance is encoded once and all pairs are scored; isolated: one pair at a time."
    )
    text_encoder: str = _option(
        "FacebookAI/roberta-base",
        "Text encoder: a folder or a model name on the Hub (arXiv 2606.18893 uses RoBERTa-base).",
    )
    encoder_mode: str = _option(
        "trained", "trained: the encoder learns with the scorer; frozen: its features are computed once and cached."
    )
    init_from: str | None = _option(
        None,
        "Begin with the weights of this finished run: of one with --encoder_mode frozen, to train the encoder once the "
        "head is trained (arXiv 2202.10054), or of one on another corpus.",
    )
    frozen_layers: int = _option(
        0,
        "Lowest layers of a trained encoder that stay as they are, and with them its embeddings: less to compute and "
        "less to overfit on a small corpus. 0 trains everything.",
    )
    text_layers: str = _option(
        "auto",
        "Encoder layers to mean-pool and concatenate, comma-separated, negative from the top; auto: at one third, two "
        "thirds and the top, which beats the top layer alone by several points of AUPRC with sentence encoders.",
    )
    segment_pooling: str = _option(
        "pooler",
        "Isolated scorer: how a pair's text becomes a vector: pooler (the encoder's own, as published), first_token "
        "or mean.",
    )
    max_tokens: int = _option(
        128,
        "Tokens per utterance (512 in arXiv 2606.18893), or with --scorer isolated per pair; longer texts are cut and "
        "counted.",
    )
    hidden_size: int = _option(
        256,
        "Width of the dialogue transformer (400 in arXiv 2606.18893), or of the isolated scorer's audio and video "
        "branches.",
    )
    num_layers: int = _option(2, "Depth of the dialogue transformer; 0 scores utterances without context.")
    num_heads: int = _option(4, "Attention heads of the dialogue transformer.")
    dropout: float = _option(0.4, "Dropout in the scorer.")
    pair_scorer: str = _option(
        "mlp",
        "Head of the dialogue scorer: mlp (a hidden layer over target, cause, distance and speakers, and a low-rank "
        "bilinear term) or biaffine (arXiv 1611.01734).",
    )
    pair_size: int = _option(256, "Width of the pair scorer's hidden layer.")
    bilinear_size: int = _option(128, "Rank of the bilinear term of the pair scorer mlp; 0 for none.")
    pair_refinement: bool = _option(
        True,
        "Dialogue scorer: score each pair a second time, knowing the first scores of the target's other candidates and "
        "of both utterances with themselves.",
    )
    max_distance: int = _option(12, "Turn distances beyond it share an embedding.")
    distance_prior: bool = _option(
        True,
        "Dialogue scorer: begin at the train rates of the classes at each turn distance, so that only what lies beyond "
        "distance has to be learned; otherwise distances begin equal.",
    )


@dataclass(frozen=True)
class ObjectiveOptions:
    """What is optimised. The numbers are arXiv 2606.18893's one setting for every corpus."""

    _argument_group_name = "objective"

    objective: str = _option("base", f"One of: {', '.join(OBJECTIVE_NAMES)}.")
    base_margin: float = _option(0.05, "m0 of the margin ranking (Eq. 9).")
    top_k: int = _option(8, "Hard negatives per target (Eq. 7).")
    corruption_rate: float = _option(0.30, "rho: probability of zeroing an unprotected utterance (Eq. 13).")
    corruption_point: str = _option(
        "scorer_input",
        "Where the corrupted view begins: scorer_input (the paper's; without --pair_refinement a zeroed utterance "
        "changes only its own pairs, none of them gold) or dialogue_input (before the dialogue transformer: the "
        "context of gold pairs changes too).",
    )
    ranking_weight: float = _option(0.3, "lambda_row (Eq. 17).")
    corrupted_supervision_weight: float = _option(0.75, "lambda_cor (Eq. 14).")
    alignment_weight: float = _option(0.2, "lambda_ali (Eq. 15).")
    context_ranking_weight: float = _option(
        0.0,
        "3class: weight of a second margin ranking, of P(emo_context) of the emo_context pairs; this package's "
        "extension.",
    )
    class_weighting: str = _option(
        "auto",
        "Weights of the pair classes in the supervised loss: none (Eq. 16), sqrt (min(10, sqrt(mean count / count)), "
        "arXiv 2605.25208), or auto: sqrt for the three-role task, none for two classes.",
    )
    emotion_target: str = _option(
        "non_neutral",
        "Label of the emotion head: non_neutral where the corpus labels emotions, or gold_target (of a gold pair).",
    )


@dataclass(frozen=True)
class OptimisationOptions:
    """How it is optimised."""

    _argument_group_name = "optimisation"

    epochs: int = _option(30, "Most epochs (arXiv 2606.18893).")
    patience: int = _option(
        5, "Epochs without a better validation score before training stops (arXiv 2606.18893); 0 for no early stopping."
    )
    selection: str = _option(
        "pair_f1",
        "Validation score that chooses the epoch: pair_f1 or macro_f1 (as --decision says), or pair_auprc.",
    )
    decision: str = _option(
        "threshold",
        "threshold: positive from a threshold on P(class 0) on; argmax: the most probable class.",
    )
    batch_size: int = _option(
        8, "Dialogues (32 in arXiv 2606.18893), or with --scorer isolated pairs, per step and process."
    )
    batch_tokens: int | None = _option(
        None,
        "Isolated scorer: instead of random batches of --batch_size, batches of pairs of like length with so many "
        "padded tokens, which is faster.",
    )
    eval_batch_size: int = _option(32, "Dialogues, or pairs, per evaluation batch.")
    gradient_accumulation_steps: int = _option(1, "Batches per optimiser step.")
    learning_rate: float = _option(
        3e-4, "Of the scorer (5e-5 in arXiv 2606.18893, which underfits a small corpus with a frozen encoder)."
    )
    encoder_learning_rate: float = _option(1e-5, "Of a trained text encoder (arXiv 2606.18893).")
    weight_decay: float = _option(1e-4, "Of AdamW (arXiv 2606.18893).")
    decay_everything: bool = _option(
        True, "Weight decay on all parameters, as published; otherwise not on biases and gains of norms."
    )
    warmup_ratio: float = _option(0.1, "Share of all steps in which the learning rates rise; then they fall linearly.")
    max_grad_norm: float = _option(1.0, "Gradient norm clip (arXiv 2606.18893).")
    weight_averaging: float = _option(
        0.995, "Decay of the exponential moving average of the weights that is evaluated and kept; 0 for none."
    )
    mixed_precision: str = _option("no", "no, bf16 or fp16.")
    threshold: float | None = _option(
        None,
        "Decision threshold on P(class 0), with --decision threshold. Default: the best on validation for pair F1.",
    )


@dataclass(frozen=True)
class RunOptions:
    """Where and how the run happens."""

    _argument_group_name = "run"

    output_dir: str | None = _option(None, "Run folder. Required.")
    seed: int = _option(42, "Seed of everything random.")
    run_name: str | None = _option(None, "Name in tables; by default made of the settings.")
    cache_dir: str | None = _option(None, "Where frozen text features are kept. Default: ~/.cache/iemomecp.")
    log_with: str | None = _option(None, "Further trackers of accelerate: tensorboard, wandb or trackio.")
    evidence_removal: bool = _option(
        False,
        "Isolated scorer: also score the test split with the candidate's text and vectors removed, into "
        "predictions_test_removed.parquet (arXiv 2605.25208).",
    )
    max_hours: float | None = _option(
        None,
        "Stop after the step that passes this many hours, with a checkpoint; starting the same command again continues "
        "the run.",
    )
    checkpoint_steps: int = _option(
        0,
        "Write a checkpoint after every so many optimiser steps of an epoch, besides those at ends of epochs; 0 for "
        "those alone. A run that is killed repeats what came after its newest checkpoint.",
    )
    deterministic: bool = _option(False, "Only deterministic kernels (slower on GPUs; CPUs are deterministic anyway).")
    quiet: bool = _option(False, "No progress bars.")


@dataclass(frozen=True)
class TrainingOptions:
    """A whole run."""

    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    objective: ObjectiveOptions = field(default_factory=ObjectiveOptions)
    optimisation: OptimisationOptions = field(default_factory=OptimisationOptions)
    run: RunOptions = field(default_factory=RunOptions)

    def flat(self) -> dict[str, Any]:
        """All options by name, as ``config.yaml`` holds them."""
        return {name: value for section in asdict(self).values() for name, value in section.items()}

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> TrainingOptions:
        """Builds the sections from options by name.

        Raises:
            UsageError: There is no option of some name.
        """
        known = {name: section for section, names in section_fields().items() for name in names}
        for name in values:
            if name not in known:
                raise UsageError(f"There is no option {name!r}. {did_you_mean(name, known)}")
        sections = {}
        for section, section_class in SECTIONS.items():
            sections[section] = section_class(**{n: v for n, v in values.items() if known[n] == section})
        return cls(**sections)

    def check(self, *, with_data: bool = True) -> None:
        """Refuses options that cannot work, alone or together.

        Args:
            with_data: Whether the options have to say where the data is.

        Raises:
            UsageError: Says which, and the way out.
        """
        data, model, objective, optimisation = self.data, self.model, self.objective, self.optimisation
        scorer = find_scorer(model.scorer)
        _one_of("--objective", objective.objective, OBJECTIVE_NAMES)
        _one_of("--modalities", data.modalities, MODALITY_SETS)
        _one_of("--encoder_mode", model.encoder_mode, ("trained", "frozen"))
        _one_of("--segment_pooling", model.segment_pooling, SEGMENT_POOLINGS)
        _one_of("--pair_scorer", model.pair_scorer, ("mlp", "biaffine"))
        _one_of("--decision", optimisation.decision, ("threshold", "argmax"))
        _one_of("--corruption_point", objective.corruption_point, ("scorer_input", "dialogue_input"))
        _one_of("--class_weighting", objective.class_weighting, ("auto", "none", "sqrt"))
        _one_of("--emotion_target", objective.emotion_target, ("non_neutral", "gold_target"))
        _one_of("--selection", optimisation.selection, ("pair_f1", "pair_auprc", "macro_f1"))
        _one_of("--mixed_precision", optimisation.mixed_precision, ("no", "bf16", "fp16"))
        if with_data and not data.data_dir:
            raise UsageError("--data_dir is missing: give the folder of the corpus, as for load_dataset.")
        if not self.run.output_dir:
            raise UsageError("--output_dir is missing: give the folder that the run is written to.")
        if data.config_name == "overlay":
            raise UsageError(
                "The config 'overlay' has labels without utterances; train on '3class' or 'source_binary'."
            )
        scorer.check(self)
        if model.frozen_layers and model.encoder_mode == "frozen":
            raise UsageError(
                f"--frozen_layers {model.frozen_layers} is about a trained encoder, but --encoder_mode frozen trains "
                "none of its layers. Leave one of them out."
            )
        if objective.context_ranking_weight and objective.objective in WITHOUT_RANKING:
            raise UsageError(
                f"--context_ranking_weight {objective.context_ranking_weight:g} adds to a margin ranking, but the "
                f"objective {objective.objective!r} has none. Use --objective rpcl or another that ranks."
            )
        if objective.context_ranking_weight and data.config_name != "3class":
            raise UsageError(
                f"--context_ranking_weight {objective.context_ranking_weight:g} ranks emo_context pairs, which only "
                f"--config_name 3class has, not {data.config_name!r}. Leave it out."
            )
        if optimisation.threshold is not None and optimisation.decision == "argmax":
            raise UsageError(
                f"--decision argmax has no use for --threshold {optimisation.threshold:g}. Leave one out, or give "
                "--decision threshold."
            )
        if self.run.max_hours is not None and not self.run.max_hours > 0:
            raise UsageError(f"--max_hours must be positive, but is {self.run.max_hours:g}.")
        if self.run.checkpoint_steps < 0:
            raise UsageError(
                f"--checkpoint_steps must be 0, for checkpoints at ends of epochs alone, or more, but is "
                f"{self.run.checkpoint_steps}."
            )
        for name, value, low, high in (
            ("--dropout", model.dropout, 0.0, 1.0),
            ("--corruption_rate", objective.corruption_rate, 0.0, 1.0),
            ("--warmup_ratio", optimisation.warmup_ratio, 0.0, 1.0),
            ("--weight_averaging", optimisation.weight_averaging, 0.0, 1.0),
            ("--max_missing_features", data.max_missing_features, 0.0, 1.0),
            ("--threshold", optimisation.threshold, 0.0, 1.0),
        ):
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} must lie within [{low:g}, {high:g}], but is {value}.")
        for name, count in (
            ("--epochs", optimisation.epochs),
            ("--batch_size", optimisation.batch_size),
            ("--eval_batch_size", optimisation.eval_batch_size),
            ("--gradient_accumulation_steps", optimisation.gradient_accumulation_steps),
            ("--top_k", objective.top_k),
            ("--max_tokens", model.max_tokens),
            ("--hidden_size", model.hidden_size),
            ("--batch_tokens", optimisation.batch_tokens),
        ):
            if count is not None and count < 1:
                raise UsageError(f"{name} must be at least 1, but is {count}.")
        if model.frozen_layers < 0:
            raise UsageError(f"--frozen_layers must be 0, to train all, or more, but is {model.frozen_layers}.")
        if optimisation.patience < 0:
            raise UsageError(f"--patience must be 0, for no early stopping, or more, but is {optimisation.patience}.")


SECTIONS: dict[str, type[Any]] = {
    "data": DataOptions,
    "model": ModelOptions,
    "objective": ObjectiveOptions,
    "optimisation": OptimisationOptions,
    "run": RunOptions,
}


def section_fields() -> dict[str, tuple[str, ...]]:
    """Names of the options of each section."""
    return {section: tuple(f.name for f in fields(cls)) for section, cls in SECTIONS.items()}


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} has no value {value!r}. {did_you_mean(value, known)}")
