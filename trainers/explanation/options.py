"""Every option of a run that trains written explanations; what it shares with other runs is declared there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import DialogueConfig, EmotionInventory
from iemomecp_dataset.schema import ModalitySet
from iemomecp_dataset.trainers.explanation.earlier_run import earlier_options
from iemomecp_dataset.trainers.options import RunSettings, SharedOptimization, SharedRun

__all__ = [
    "Causes",
    "Emotion",
    "ExplanationDataOptions",
    "ExplanationModelOptions",
    "ExplanationObjectiveOptions",
    "ExplanationOptimizationOptions",
    "ExplanationRunOptions",
    "ExplanationTrainingOptions",
    "check_marks_are_read",
]

Causes = Literal["none", "gold", "predicted", "last", "shuffled"]
Emotion = Literal["gold", "predicted", "none"]


@dataclass(frozen=True)
class ExplanationDataOptions:
    """Which dialogues, and what is read beside their texts."""

    _group = "data"

    data_dir: str | None = option(
        None, "Folder of the corpus, as for load_dataset. Required.", setting="data_fingerprint"
    )
    config_name: DialogueConfig = option(
        "ecem",  # type: ignore[arg-type, unused-ignore]
        "Configuration of the corpus: ecem, ecgf, or another with written explanations.",
        setting="config_name",
    )
    emotions: EmotionInventory = option(
        "corpus",
        "Emotions that the prompts name: the corpus's own, or the common ones, which all corpora have.",
    )
    meld_root: str | None = option(
        None, "ecem: MELD's CSV files, where they are not in --data_dir.", setting="data_fingerprint"
    )
    ecf_root: str | None = option(
        None, "ecem: folder of ECF's three files, whose cause turns are attached.", setting="data_fingerprint"
    )
    ecf_map: str | None = option(None, "ecem: ECF's map from its utterances to MELD's.", setting="data_fingerprint")
    frames: str | None = option(
        None, "Store of frame tokens (extract_features.py --modality frames). None: text alone.", setting="features"
    )
    faces_table: str | None = option(
        None, "Parquet table of faces: utterance, track, time, box, probabilities by class.", setting="features"
    )
    face_features: str | None = option(None, "Store of face vectors, for --faces feature.", setting="features")
    max_missing_features: float = option(
        0.01,
        "Share of the utterances to explain whose clip may be missing from --frames or --face_features (they are "
        "explained from text), or not examined in --faces_table; more is an error.",
        minimum=0.0,
        maximum=1.0,
        setting="features",
    )

    @property
    def modalities(self) -> ModalitySet:
        """Letters of what is read: text, and video where there is a store of frames or faces."""
        return "tv" if self.frames or self.faces_table or self.face_features else "t"

    def stores(self) -> dict[str, str | None]:
        """Streams of one vector per utterance: none."""
        return {}

    @property
    def encodes_text(self) -> bool:
        """Whether a text model is loaded: always."""
        return True


@dataclass(frozen=True)
class ExplanationModelOptions:
    """Which model, and what it is told. Of FAME-Net only the parts are known: every default is chosen here."""

    _group = "model"

    scorer: str = option("explanation", "The model.", metavar="{explanation}")
    language_model: str | None = option(
        None,
        "Language model: a folder, or a name on the Hub (which LLaVA-7B FAME-Net takes is not known). Required, unless "
        "--init_from names it.",
        setting="text_encoder",
    )
    gguf_file: str | None = option(None, "File in that folder that holds it in GGUF.", setting="features")
    chat_template: Literal["tokenizer", "plain"] = option(
        "tokenizer", "Layout of prompts: the tokenizer's chat template, or plain for language models without one."
    )
    projector: Literal["linear", "mlp"] = option(
        "linear", "Layers from --frames to the language model: one (FAME-Net), or two with GELU."
    )
    tuning: Literal["projector", "lora", "full", "none"] = option(
        "lora",
        "What is trained: the projector alone (FAME-Net), adapters with it, everything, or none: the model writes as "
        "it is (zero-shot), and options of training have no effect and are refused. Chosen here.",
    )
    init_from: str | None = option(
        None,
        "Begin with the weights of this finished run of explanations (its folder, or its model/). Language model, "
        "layout and content of prompts, adapters and seed are those of that run where they are not given. With "
        "--tuning none it only writes: the same weights under other cause marks, or on another corpus.",
        setting="initialized_from",
    )
    lora_rank: int = option(16, "Rank of the adapters. Chosen here.", minimum=1, limit=65536)
    lora_alpha: float = option(32.0, "Their product is scaled by alpha / rank. Chosen here.", above=0.0, limit=1e6)
    lora_dropout: float = option(0.05, "Dropout before the adapters. Chosen here.", minimum=0.0, below=1.0)
    shots: int = option(
        0,
        "With --tuning none: explanations of train that precede the question as examples, those whose targets have the "
        "nearest words (TF-IDF) among those of the same emotion, the nearest last. Their clips are not shown. Each "
        "takes about 100 tokens of --max_length.",
        minimum=0,
    )
    max_length: int = option(
        512,
        "Tokens of prompt and answer; examples that do not fit, and then context turns, are left out and counted.",
        minimum=16,
    )
    context_turns: int = option(3, "Turns before the target that are read. Chosen here.", minimum=0)
    emotion: Emotion = option("gold", "Emotion of the target: gold (the task), predicted (by --emotion_from), or none.")
    emotion_from: str | None = option(
        None,
        "Folder of a finished run that recognises the emotions of the same utterances, cross-fitted on train "
        "(--train_folds).",
        setting="features",
    )
    causes: Causes = option(
        "none",
        "Utterances that are marked as causes: gold, predicted (by --causes_from), the last one before the target, or "
        "shuffled: random ones among the target and its --context_turns, as many as gold ones are among them, and "
        "others than these where there are others.",
    )
    causes_from: str | None = option(
        None, "Folder of a finished run of a pair scorer that uses text alone.", setting="features"
    )
    faces: Literal["auto", "label", "feature", "none"] = option(
        "auto",
        "How faces enter: label (a line of text from --faces_table), feature (vectors from --face_features), or none; "
        "auto: what is given.",
    )

    frozen_layers: ClassVar[int] = 0

    @property
    def text_encoder(self) -> str:
        """The language model, as the record names it."""
        return str(self.language_model)

    @property
    def encoder_mode(self) -> Literal["trained", "frozen"]:
        """Whether the language model is trained, with adapters or whole."""
        return "frozen" if self.tuning in ("projector", "none") else "trained"

    @property
    def text_streams(self) -> tuple[str, ...]:
        """What the record describes it under."""
        return ("text",)


@dataclass(frozen=True)
class ExplanationObjectiveOptions:
    """How explanations are written; what is optimised has no choices."""

    _group = "generation"

    max_new_tokens: int = option(48, "Most tokens of an explanation. Chosen here.", minimum=1, limit=1_000_000)
    num_beams: int = option(1, "Beams; 1 for greedy decoding. Chosen here.", minimum=1, limit=1000)
    generation_batch_size: int = option(8, "Explanations that are written at once.", minimum=1, setting=False)


@dataclass(frozen=True)
class ExplanationOptimizationOptions(SharedOptimization):
    """How a model of explanations is optimised. Every default is chosen here."""

    epochs: int = option(1, "Largest number of epochs.", minimum=1)
    patience: int = option(2, "Epochs without a lower validation loss before training stops; 0 for none.", minimum=0)
    batch_size: int = option(8, "Explanations per step and process.", minimum=1, setting="effective_batch_size")
    eval_batch_size: int = option(16, "Explanations per evaluation batch.", minimum=1, setting=False)
    learning_rate: float = option(2e-4, "Learning rate of what is trained.", above=0.0, limit=10.0)
    # One rate for all that is trained, so there is no option of the encoder's.
    encoder_learning_rate: ClassVar[float] = 1e-5  # type: ignore[misc]
    weight_decay: float = option(0.0, "Weight decay of AdamW.", minimum=0.0, limit=1e6)
    warmup_ratio: float = option(
        0.03, "Share of all steps in which the learning rate rises; then it falls linearly.", minimum=0.0, maximum=1.0
    )
    weight_averaging: float = option(
        0.0,
        "Decay of the exponential moving average of the trained weights that is evaluated and kept; 0 for none.",
        minimum=0.0,
        below=1.0,
    )


@dataclass(frozen=True)
class ExplanationRunOptions(SharedRun):
    """Where and how the run happens."""

    # Nothing is frozen and cached.
    cache_dir: ClassVar[str | None] = None  # type: ignore[misc]


@dataclass(frozen=True)
class ExplanationTrainingOptions(RunSettings):
    """A run that trains written explanations."""

    task: ClassVar[str] = "explanation"
    command: ClassVar[str] = "train explain"

    data: ExplanationDataOptions = field(default_factory=ExplanationDataOptions)
    model: ExplanationModelOptions = field(default_factory=ExplanationModelOptions)
    objective: ExplanationObjectiveOptions = field(default_factory=ExplanationObjectiveOptions)
    optimization: ExplanationOptimizationOptions = field(default_factory=ExplanationOptimizationOptions)
    run: ExplanationRunOptions = field(default_factory=ExplanationRunOptions)

    @classmethod
    def defaults_for(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the run that ``init_from`` names.

        Raises:
            UsageError: There is no such run.
        """
        return earlier_options(values["init_from"]) if values.get("init_from") else {}

    @property
    def uses_train(self) -> bool:
        """Whether train is read: to learn from it, or for examples."""
        return self.model.tuning != "none" or self.model.shots > 0

    def without_effect(self) -> frozenset[str]:
        """Those of training, of adapters and of stores, where there are none."""
        return frozenset[str]().union(*(names for names, _ in self._unread()))

    def _unread(self) -> list[tuple[frozenset[str], str]]:
        """Names of options that nothing reads, and why."""
        tuning, frames = self.model.tuning, self.data.frames
        found: list[tuple[frozenset[str], str]] = []
        if tuning == "none":
            found.append((_OF_TRAINING | _OF_ADAPTERS, "--tuning none trains nothing"))
        elif tuning != "lora":
            found.append((_OF_ADAPTERS, f"--tuning {tuning} has no adapters"))
        if not frames:
            found.append((frozenset({"projector"}), "Without --frames there are no frames to project"))
        if not frames and self.faces == "none":
            found.append((frozenset({"max_missing_features"}), "There are neither --frames nor faces"))
        return found

    @classmethod
    def options_of_data(cls, data: Any) -> dict[str, Any]:
        """The configuration, where the data names it."""
        config_name = getattr(getattr(next(iter(data.values())), "info", None), "config_name", None)
        return {"config_name": config_name} if config_name in get_args(DialogueConfig) else {}

    @property
    def faces(self) -> Literal["label", "feature", "none"]:
        """How faces enter."""
        asked, data = self.model.faces, self.data
        if asked != "auto":
            return asked
        return "label" if data.faces_table else "feature" if data.face_features else "none"

    def check(self, *, with_data: bool = True) -> None:
        """Refuses values that do not fit, and options that cannot work together."""
        super().check(with_data=with_data)
        data, model = self.data, self.model
        if not model.language_model:
            raise UsageError(
                "--language_model is missing: give its folder, or its name on the Hub; or --init_from with a finished "
                "run."
            )
        self._check_untrained()
        for name, needs, choice, given in (
            ("emotion_from", model.emotion == "predicted", f"--emotion {model.emotion}", model.emotion_from),
            ("causes_from", model.causes == "predicted", f"--causes {model.causes}", model.causes_from),
            ("faces_table", self.faces == "label", f"--faces {self.faces}", data.faces_table),
            ("face_features", self.faces == "feature", f"--faces {self.faces}", data.face_features),
        ):
            if needs and not given:
                raise UsageError(f"{choice} needs --{name}, which is missing. Give it, or choose another value.")
            if given and not needs:
                raise UsageError(f"--{name} has no effect with {choice}. Leave it out, or choose another value.")
        if model.tuning == "projector" and not data.frames and self.faces != "feature":
            raise UsageError(
                "--tuning projector trains the layers between frames or faces and the language model, and there are "
                "neither. Give --frames or --face_features, or use --tuning lora."
            )
        check_marks_are_read(model.causes, model.context_turns)
        self._check_effects()

    def _check_recomputing(self) -> None:
        """Nothing: with --tuning none it is refused with the other options of training."""

    def _check_untrained(self) -> None:
        """Refuses options of training without training, and examples with it."""
        data, model = self.data, self.model
        if model.tuning != "none":
            if model.shots:
                raise UsageError(
                    f"--shots {model.shots} puts examples before questions that a model is not trained on. Use "
                    "--tuning none, with --init_from for a trained model; or leave it out."
                )
            return
        if not model.init_from and (data.frames or self.faces == "feature"):
            raise UsageError(
                "--tuning none trains no layers between frames or faces and the language model. Give --init_from and a "
                "run that has trained them, or leave --frames and --face_features out."
            )

    def _check_effects(self) -> None:
        """Refuses options that are given and that nothing reads."""
        # What a run begins with describes its own adapters and projector.
        not_given = {option.name: option.default for section in self.sections().values() for option in fields(section)}
        not_given |= self.defaults_for(self.flat())
        for names, reason in self._unread():
            given = [
                f"--{name} {value}" for name, value in self.flat().items() if name in names and value != not_given[name]
            ]
            if given:
                raise UsageError(f"{reason}, so {', '.join(given)} has no effect. Leave it out.")


def check_marks_are_read(causes: Causes, context_turns: int) -> None:
    """Refuses marks on turns that no prompt has.

    Args:
        causes: What is to be marked.
        context_turns: Turns before the target that the model reads.

    Raises:
        UsageError: It is the turn before the target, and no turn before it is read.
    """
    if causes == "last" and not context_turns:
        raise UsageError(
            "--causes last marks the turn before the target, and with --context_turns 0 no turn before it is read, so "
            "it has no effect. Give more turns, or --causes none."
        )


_OF_ADAPTERS = frozenset({"lora_rank", "lora_alpha", "lora_dropout"})
_OF_TRAINING = frozenset({
    "epochs", "patience", "batch_size", "gradient_accumulation_steps", "learning_rate", "weight_decay",
    "decay_everything", "warmup_ratio", "max_grad_norm", "weight_averaging", "checkpoint_steps",
    "gradient_checkpointing",
})  # fmt: skip
