"""Every option of a run that trains emotion recognition; what it shares with pair scorers is declared there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import DialogueConfig
from iemomecp_dataset.trainers.emotions.recipes import ecerc_recipe, transformer_recipe
from iemomecp_dataset.trainers.emotions.variants import Ablation, EmptyRows, MeldSlots, Query, Reach
from iemomecp_dataset.trainers.options import EncoderOptions, RunSettings, SharedData, SharedOptimization, SharedRun

__all__ = [
    "EmotionDataOptions",
    "EmotionModelOptions",
    "EmotionObjectiveOptions",
    "EmotionOptimizationOptions",
    "EmotionRunOptions",
    "EmotionTrainingOptions",
]


@dataclass(frozen=True)
class EmotionDataOptions(SharedData):
    """Which dialogues, and which vectors of their utterances."""

    config_name: DialogueConfig = option(
        "meld", "Configuration of the corpus: any whose utterances have emotions.", setting="config_name"
    )
    text_features: str | None = option(
        None,
        "Feature store, or Parquet file with utterance_id and vector, in place of --text_encoder. ECERC takes "
        "emotion-tuned vectors here.",
        setting="features",
    )
    event_features: str | None = option(
        None,
        "The same for a second text stream: the general vectors of ECERC, which needs both.",
        setting="features",
    )
    validation: Literal["every_tenth", "first_tenth", "none"] | None = option(
        None,
        "iemocap, which has no validation split: every tenth of the sorted train dialogues, the first tenth (as "
        "released; all from one session), or none. Set by --protocol.",
    )

    def stores(self) -> dict[str, str | None]:
        """By stream of feature vectors that the run reads, the store that is given, or None for the default place."""
        texts = {"text": self.text_features, "event": self.event_features}
        given = {name: path for name, path in texts.items() if path is not None and "t" in self.modalities}
        return {**given, **super().stores()}

    @property
    def encodes_text(self) -> bool:
        """Whether a text encoder is loaded."""
        return super().encodes_text and self.text_features is None


@dataclass(frozen=True)
class EmotionModelOptions(EncoderOptions):
    """Which model of emotions."""

    scorer: str = option(
        "ecerc",
        "ecerc (ACL 2025, long 102), or emotion_transformer, this package's baseline.",
        metavar="{ecerc,emotion_transformer}",
    )
    encoder_mode: Literal["trained", "frozen"] = option(
        "frozen",
        "frozen: text features are computed once and cached; trained: the encoder is trained with the model "
        "(emotion_transformer).",
    )
    hidden_size: int = option(
        128, "Width of a modality (ECERC), or of the emotion transformer.", minimum=1, limit=65536
    )
    num_layers: int = option(1, "Layers of each encoder.", minimum=0, limit=1000)
    num_heads: int = option(
        4, "Emotion transformer: attention heads. Those of ECERC are fixed, 8 of width 64.", minimum=1
    )
    dropout: float = option(0.1, "Dropout in the encoders.", minimum=0.0, below=1.0)
    dropout_evidence: float = option(0.5, "ECERC: dropout of gated evidence.", minimum=0.0, below=1.0)
    dropout_features: float = option(0.5, "ECERC: dropout before the classifier.", minimum=0.0, below=1.0)
    positions: Literal["auto", "on", "off"] = option(
        "auto", "ECERC: sinusoidal positions; auto: as released, on IEMOCAP's dialogues alone."
    )
    empty_rows: EmptyRows = option(
        "zero",
        "ECERC: attention of a turn that has nothing to attend to: zero, or uniform (as released) over all turns, "
        "future ones and padding included. Set by --protocol.",
    )
    meld_slots: MeldSlots = option(
        "correct", "ECERC on MELD: released exchanges audio and video, as the release does. Set by --protocol."
    )
    query: Query = option(
        "evidence", "ECERC: queries of the interactions: gated evidence (as released), or its context (the paper)."
    )
    ablation: Ablation = option("none", "ECERC: leave out or change one part, as in the paper's ablations.")
    context: Reach = option(
        "causal", "Emotion transformer: a turn sees itself and earlier ones, or the whole dialogue. ECERC is causal."
    )

    @property
    def text_streams(self) -> tuple[str, ...]:
        """What the text encoder gives to the model: to ECERC a second stream, its top layer alone."""
        return ("text", "event") if self.scorer == "ecerc" else ("text",)


@dataclass(frozen=True)
class EmotionObjectiveOptions:
    """What is optimised."""

    _group = "objective"

    protocol: Literal["corrected", "released"] = option(
        "corrected",
        "ECERC: released sets --empty_rows, --meld_slots, --class_weights, --validation and --round_selection to what "
        "the authors' release does, to compare with it; each may be given on its own.",
    )
    class_weights: Literal["none", "sqrt", "train", "released"] = option(
        "none",
        "Weights of the emotions in the loss: train (1 / frequency in train), sqrt (1 / its square root, 1 on "
        "average), or released (from the counts of all splits, test included). Set by --protocol.",
    )
    focal_gamma: float = option(0.0, "Focal factor (1 - p)^gamma of the loss; 0 for none.", minimum=0.0, limit=1e6)


@dataclass(frozen=True)
class EmotionOptimizationOptions(SharedOptimization):
    """How a model of emotions is optimised. Defaults are those of the recipe, not of arXiv 2606.18893."""

    epochs: int = option(30, "Largest number of epochs.", minimum=1)
    patience: int = option(
        5, "Epochs without progress (--stop_on) before training stops; 0 for no early stopping.", minimum=0
    )
    batch_size: int = option(8, "Dialogues per step and process.", minimum=1, setting="effective_batch_size")
    learning_rate: float = option(3e-4, "Learning rate; the encoder has its own.", above=0.0, limit=10.0)
    encoder_learning_rate: float = option(
        1e-5, "Learning rate of a trained text encoder (emotion_transformer).", above=0.0, limit=10.0
    )
    weight_decay: float = option(1e-4, "Weight decay of --optimizer.", minimum=0.0, limit=1e6)
    max_grad_norm: float | None = option(
        1.0, "Largest norm of the gradient, which is clipped; none: not clipped.", above=0.0
    )
    selection: Literal["weighted_f1", "macro_f1", "accuracy"] = option(
        "weighted_f1", "Validation score that selects the epoch. Without validation the last epoch is kept."
    )
    round_selection: bool = option(
        False, "Round that score to 0.01 percentage points before epochs are compared, as released. Set by --protocol."
    )
    optimizer: Literal["adam", "adamw"] = option(
        "adam", "adam: weight decay is added to the gradient (coupled L2), as released; adamw: decoupled."
    )
    schedule: Literal["constant", "linear"] = option(
        "constant", "Learning rates after the warm-up: constant, or falling linearly to zero."
    )
    stop_on: Literal["score", "score_and_loss"] = option(
        "score_and_loss",
        "What --patience counts from: the best score, or the later of the best score and the lowest validation loss.",
    )


@dataclass(frozen=True)
class EmotionRunOptions(SharedRun):
    """Where and how the run happens."""

    train_folds: int = option(
        0,
        "Also write emotions_train.parquet: predictions for the train split, each by a model trained on the other of "
        "this many folds of its dialogues. 0 for none; K costs as much as K further runs.",
        minimum=0,
        setting=False,
    )


@dataclass(frozen=True)
class EmotionTrainingOptions(RunSettings):
    """A run that trains emotion recognition."""

    task: ClassVar[str] = "erc"
    command: ClassVar[str] = "train ecerc"

    data: EmotionDataOptions = field(default_factory=EmotionDataOptions)
    model: EmotionModelOptions = field(default_factory=EmotionModelOptions)
    objective: EmotionObjectiveOptions = field(default_factory=EmotionObjectiveOptions)
    optimization: EmotionOptimizationOptions = field(default_factory=EmotionOptimizationOptions)
    run: EmotionRunOptions = field(default_factory=EmotionRunOptions)

    @classmethod
    def defaults_for(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe of the model on the corpus, under the protocol."""
        config_name = str(values.get("config_name", EmotionDataOptions.config_name))
        if values.get("scorer") == "emotion_transformer":
            return transformer_recipe(config_name)
        protocol = str(values.get("protocol", EmotionObjectiveOptions.protocol))
        return ecerc_recipe(config_name, protocol, str(values.get("modalities", EmotionDataOptions.modalities)))

    @classmethod
    def options_of_data(cls, data: Any) -> dict[str, Any]:
        """The configuration, where the data names it, so that the recipe is that of the corpus."""
        config_name = getattr(getattr(data.get("train"), "info", None), "config_name", None)
        known = {"config_name": config_name} if config_name in get_args(DialogueConfig) else {}
        return {**known, "validation": None}

    @classmethod
    def notes(cls) -> str:
        """Where the defaults come from."""
        return (
            "Options that are not given are those of the model, the corpus and --protocol: for ECERC the recipe of\n"
            "ACL 2025, long 102 on IEMOCAP's dialogues, and that on MELD everywhere else. The defaults shown here are\n"
            "those for the --scorer, --config_name and --protocol that --config or --experiment give."
        )

    def check(self, *, with_data: bool = True) -> None:
        """Refuses values that do not fit, and options that cannot work together."""
        super().check(with_data=with_data)
        data = self.data
        if data.validation is not None and data.config_name != "iemocap":
            raise UsageError(
                f"--validation {data.validation} divides the train split of --config_name iemocap; {data.config_name} "
                "has a validation split of its own. Leave it out."
            )
        if data.event_features is not None and data.text_features is None:
            raise UsageError("--event_features stands beside --text_features, which is missing. Give both, or neither.")
        if data.event_features is not None and "event" not in self.model.text_streams:
            raise UsageError(
                f"--scorer {self.model.scorer} reads one text stream, so --event_features has no effect. Leave it out."
            )
        for name in ("text_features", "event_features"):
            if getattr(data, name) is not None and "t" not in data.modalities:
                raise UsageError(f"--{name} has no effect with --modalities {data.modalities}. Leave it out.")
        if self.run.train_folds == 1:
            raise UsageError("--train_folds must be 0, or at least 2, but is 1.")
