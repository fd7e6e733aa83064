"""ECERC: emotion recognition from evidence, context and their interaction (Zhang & Tan, ACL 2025, long 102).

Written from the paper's equations, the published description of the released model, and numbers that it gives::

    text, audio, video --project, evidence gate--> E        event vectors --project--> S
    E --attention to all turns so far--> H_emo              S --attention to all turns so far--> H_eve
    E --attention to H_emo of the speaker's earlier turns--> self-emotion, of others' --> cross-emotion
    E (text part) --H_eve of the turn itself--> self-event, of others' earlier turns --> cross-event
    each of the four x feature gate --concatenate, Linear--> logits

No turn sees a later one, but for ``empty_rows="uniform"``, as in the release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from iemomecp_dataset.errors import InvalidDataError, MissingModelError, UsageError, did_you_mean
from iemomecp_dataset.trainers.emotions.attention import DialogueBuckets, check_turns
from iemomecp_dataset.trainers.emotions.hints import CONTEXT_OF_STREAM
from iemomecp_dataset.trainers.emotions.layers import ContextEncoder, EvidenceGate, Stream, position_table, project
from iemomecp_dataset.trainers.emotions.variants import Ablation, EmptyRows, MeldSlots, Query
from iemomecp_dataset.trainers.objectives import emotion_loss
from iemomecp_dataset.trainers.pairs.config import ClassNamesConfig

__all__ = ["STREAMS", "EcercConfig", "EcercModel", "EcercOutput"]

STREAMS = tuple(CONTEXT_OF_STREAM)
"""The four interactions, in the order of their features."""

_SIZES = ("text_size", "event_size", "audio_size", "video_size")
_PROBABILITIES = ("dropout_evidence", "dropout_features", "dropout")
_CHOICES = {
    "empty_rows": get_args(EmptyRows),
    "meld_slots": get_args(MeldSlots),
    "query": get_args(Query),
    "ablation": get_args(Ablation),
}


class EcercConfig(ClassNamesConfig):
    """Shape of an :class:`EcercModel`; the defaults are the paper's on IEMOCAP.

    Attributes:
        text_size: Width of the text vectors (tuned on emotions), 0 without text.
        event_size: Width of the event vectors (general text); without text or with 0, both event streams are left out.
        audio_size: Width of the audio vectors, 0 without audio.
        video_size: Width of the video vectors, 0 without video.
        hidden_size: Width of a projected modality.
        num_layers: Layers of each encoder.
        positions: Whether sinusoid positions are added to the vectors (released: on IEMOCAP, not on MELD).
        empty_rows: What a turn gets that may look at none, such as the first turn of a speaker: ``zero``; or
            ``uniform``, the mean over all columns, later turns and padding included, as released. With ``uniform``,
            scores depend on the batch.
        meld_slots: ``released`` cuts audio and video from ``[video | audio]``, as the release does on MELD.
        query: Interaction queries: the gated ``evidence``, as released; or ``context``, as in the paper's text.
        ablation: What is left out.
        dropout_evidence: Dropout probability of the gated evidence.
        dropout_features: Dropout probability of the features before the last layer.
        dropout: Dropout probability in the encoders.
        focal_gamma: Of the loss, see :func:`~iemomecp_dataset.trainers.objectives.emotion_loss`.
        class_weights: Of the loss, by class id; None for 1.
    """

    model_type = "iemomecp_ecerc"

    text_size: int = 1024
    event_size: int = 1024
    audio_size: int = 1582
    video_size: int = 342
    hidden_size: int = 128
    num_layers: int = 1
    positions: bool = True
    empty_rows: EmptyRows = "zero"
    meld_slots: MeldSlots = "correct"
    query: Query = "evidence"
    ablation: Ablation = "none"
    dropout_evidence: float = 0.5
    dropout_features: float = 0.5
    dropout: float = 0.1
    focal_gamma: float = 0.0
    class_weights: list[float] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Checks values.

        Raises:
            UsageError: There is no such choice, a number is out of bounds, there is no modality at all, or a number of
                class weights other than that of classes.
        """
        for name, least in {**dict.fromkeys(_SIZES, 0), "hidden_size": 1, "num_layers": 1}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, but is {getattr(self, name)}.")
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a probability, but is {getattr(self, name)}.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} has no value {getattr(self, name)!r}. "
                                 f"{did_you_mean(str(getattr(self, name)), choices)}")  # fmt: skip
        if not self.modality_sizes:
            raise UsageError("text_size, audio_size and video_size are all 0. Give at least one modality.")
        if self.class_weights is not None and len(self.class_weights) != len(self.class_names or ()):
            raise UsageError(
                f"There are {len(self.class_weights)} class weights for {len(self.class_names or ())} classes."
            )
        super().__post_init__(**kwargs)

    @property
    def modality_sizes(self) -> dict[str, int]:
        """Width of the vectors by modality, in order; what is not used is left out."""
        sizes = {"text": self.text_size, "audio": self.audio_size, "video": self.video_size}
        return {name: size for name, size in sizes.items() if size}

    @property
    def streams(self) -> tuple[str, ...]:
        """The interactions that the model has."""
        events = bool(self.text_size and self.event_size)
        return tuple(
            name for name in STREAMS if (events or not name.endswith("event")) and self.ablation != f"no_{name}"
        )


@dataclass
class EcercOutput(ModelOutput):  # type: ignore[misc]
    """Output of an :class:`EcercModel`; read it by name.

    Attributes:
        loss: Scalar; None without labels.
        logits: ``(B, L, C)``, zero for padding.
        gates: ``(B, L, S)``, mean value of the feature gate of each interaction; None unless attention is asked for.
        attentions: ``S`` weights ``(B, 8, L, L)`` of the last layer of each interaction; None likewise.
    """

    loss: Tensor | None = None
    logits: Tensor = None  # type: ignore[assignment]  # always given; a ModelOutput wants defaults
    gates: Tensor | None = None
    attentions: tuple[Tensor, ...] | None = None


class EcercModel(PreTrainedModel):  # type: ignore[misc]
    """Classifies the emotion of every utterance of a dialogue from its turns so far.

    A ``PreTrainedModel``: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` work.

    Example:
        >>> config = EcercConfig(class_names=["neutral", "joy"], text_size=8, event_size=8, audio_size=0, video_size=0,
        ...                      hidden_size=4)
        >>> mask, vectors = torch.ones(1, 3, dtype=torch.bool), torch.randn(1, 3, 8)
        >>> output = EcercModel(config)(mask, speakers=torch.tensor([[0, 1, 0]]), text=vectors, event=vectors)
        >>> tuple(output.logits.shape)
        (1, 3, 2)
    """

    config_class = EcercConfig
    base_model_prefix = "ecerc"

    def __init__(self, config: EcercConfig):
        super().__init__(config)
        sizes, hidden, ablation = config.modality_sizes, config.hidden_size, config.ablation
        width = hidden * len(sizes)

        def encoder(size: int, context: Any) -> ContextEncoder:
            return ContextEncoder(size, config.num_layers, context, config.dropout, config.empty_rows)

        gate = {"no_evidence_gate": "none", "own_evidence_gate": "own"}.get(ablation, "all")
        self.evidence_gate = EvidenceGate(sizes, hidden, gate)
        self.emotion_encoding = encoder(width, "history") if ablation != "no_emotion_encoding" else None
        events = [name for name in config.streams if name.endswith("event")]
        self.event_projection = nn.Linear(config.event_size, hidden) if events else None
        self.event_encoding = encoder(hidden, "history") if events and ablation != "no_event_encoding" else None
        self.interactions = nn.ModuleDict(
            {
                name: encoder(hidden if name in events else width, context)
                for name, context in CONTEXT_OF_STREAM.items()
                if name in config.streams
            }
        )
        gate_input = width * len(config.streams) if ablation == "joint_feature_gate" else width
        gated = ablation != "no_feature_gate"
        self.emotion_gate = nn.Linear(gate_input, width) if gated else None
        self.event_gate = nn.Linear(gate_input, width) if gated and events else None
        self.classifier = nn.Linear(width * len(config.streams), len(config.class_names or ()))
        # Takes no part in anything; the released state dicts have it.
        self.unused_norm = nn.LayerNorm(sum(sizes.values()))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers keep torch's own initialisation."""

    def forward(
        self,
        mask: Tensor,
        speakers: Tensor,
        text: Tensor | None = None,
        event: Tensor | None = None,
        audio: Tensor | None = None,
        video: Tensor | None = None,
        labels: Tensor | None = None,
        audio_present: Tensor | None = None,
        video_present: Tensor | None = None,
        output_attentions: bool = False,
        **streams: Any,
    ) -> EcercOutput:
        """Classifies the utterances of a padded batch.

        Args:
            mask: ``(B, L)`` bool, true for utterances.
            speakers: ``(B, L)`` int, ids of the speakers within the dialogue; only whether they are equal matters.
            text: ``(B, L, text_size)``, vectors of an encoder that was tuned on emotions.
            event: ``(B, L, event_size)``, vectors of a general text encoder.
            audio: ``(B, L, audio_size)``.
            video: ``(B, L, video_size)``.
            labels: ``(B, L)`` int, -100 where the emotion is not known; the output then has ``loss``.
            audio_present: ``(B, L)`` bool; an absent vector takes no part in the evidence.
            video_present: ``(B, L)`` bool.
            output_attentions: Whether to return gates and attention weights.
            streams: What other models of emotions take; ignored.

        Returns:
            The logits, and with labels the loss.

        Raises:
            UsageError: A stream of the configuration is not given, or has another width; or an
                input has other dialogues or turns than the mask.
        """
        mask = mask.bool()
        flags = {"audio": audio_present, "video": video_present}
        given = {"text": text, "event": event, "audio": audio, "video": video}
        of_flags = {f"{name}_present": flag for name, flag in flags.items()}
        check_turns(mask, {"speakers": speakers, **given, **of_flags, "labels": labels})
        buckets = DialogueBuckets.of(mask, speakers, with_padding=self.config.empty_rows == "uniform")
        inputs = self._streams(given, buckets)
        present = {name: buckets.flat(flag.bool()) for name, flag in flags.items() if flag is not None}
        evidence = self._dropped(self.evidence_gate(inputs, present), self.config.dropout_evidence)
        memories = {"emotion": evidence, "event": evidence}
        if self.emotion_encoding is not None:
            memories["emotion"] = self.emotion_encoding(evidence, None, buckets)
        if self.event_projection is not None:
            memories["event"] = project(self.event_projection, inputs["event"])
            if self.event_encoding is not None:
                memories["event"] = self.event_encoding(memories["event"], None, buckets)
        queries = evidence if self.config.query == "evidence" else memories["emotion"]
        features, weights = [], []
        for name, interaction in self.interactions.items():
            kind = name.rpartition("_")[2]
            # The events of a turn are told by its text, the first of the modalities.
            own, rest = (queries, None) if kind == "emotion" else self._text_and_rest(queries)
            feature = interaction(own, memories[kind], buckets)
            features.append(feature if rest is None else torch.cat([feature, rest], dim=-1))
            if output_attentions:
                weights.append(interaction.weights(own, memories[kind], buckets))  # type: ignore[operator]
        gates = self._gates(features)
        if gates is not None:
            features = [gate * feature for gate, feature in zip(gates, features, strict=True)]
        logits = self.classifier(self._dropped(torch.cat(features, dim=-1), self.config.dropout_features))
        padded = buckets.padded(logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits)
        padded = padded.masked_fill(~mask.unsqueeze(-1), 0.0)
        loss = None
        if labels is not None:
            gamma, alpha = self.config.focal_gamma, self.config.class_weights
            loss = emotion_loss(padded, labels, mask, gamma=gamma, class_weights=alpha)
        if not output_attentions:
            return EcercOutput(loss=loss, logits=padded)
        ones = evidence.new_ones(len(evidence), len(features))
        mean_gates = ones if gates is None else torch.stack([gate.mean(dim=-1) for gate in gates], dim=-1)
        return EcercOutput(
            loss=loss,
            logits=padded,
            gates=buckets.padded(mean_gates).masked_fill(~mask.unsqueeze(-1), 0.0),
            attentions=tuple(weights),
        )

    def _streams(self, given: Mapping[str, Tensor | None], buckets: DialogueBuckets) -> dict[str, Stream]:
        """The streams that the model uses, in their slots."""
        config = self.config
        sizes = dict(config.modality_sizes)
        if self.event_projection is not None:
            sizes["event"] = config.event_size
        found = {}
        for name, size in sizes.items():
            vectors = given[name]
            if vectors is None:
                raise UsageError(f"This model uses {name} vectors ({name}_size {size}), but {name}= is not given.")
            if vectors.shape[-1] != size:
                raise UsageError(f"This model takes {name} vectors of {size} numbers, but they have "
                                 f"{vectors.shape[-1]}.")  # fmt: skip
            found[name] = buckets.flat(vectors)
        if config.meld_slots == "released" and config.audio_size and config.video_size:
            exchanged = torch.cat([found["video"], found["audio"]], dim=-1)
            sizes_of_slots = [config.audio_size, config.video_size]
            found["audio"], found["video"] = torch.split(exchanged, sizes_of_slots, dim=-1)
        turns = buckets.turns
        if not config.positions:
            return {name: Stream(vectors, turns) for name, vectors in found.items()}
        width = sum(config.modality_sizes.values())
        # Rows to a power of two, so that few tables are kept.
        rows = max(256, 1 << (buckets.shape[1] - 1).bit_length())
        like = found[next(iter(found))]
        table = position_table(rows, max(width, config.event_size), width)[: buckets.shape[1]].to(
            like.device, like.dtype
        )
        streams, first = {}, 0
        for name, size in sizes.items():
            begin = 0 if name == "event" else first
            streams[name] = Stream(found[name], turns, table[:, begin : begin + size])
            first = begin + size
        return streams

    def _dropped(self, rows: Tensor, probability: float) -> Tensor:
        return F.dropout(rows, probability, self.training)

    def _text_and_rest(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.config.hidden_size
        return rows[:, :hidden], rows[:, hidden:]

    def _gates(self, features: list[Tensor]) -> list[Tensor] | None:
        if self.emotion_gate is None:
            return None
        joint = torch.cat(features, dim=-1) if self.config.ablation == "joint_feature_gate" else None
        gates = []
        for name, feature in zip(self.interactions, features, strict=True):
            gate = self.event_gate if name.endswith("event") else self.emotion_gate
            assert gate is not None
            gates.append(torch.sigmoid(gate(feature if joint is None else joint)))
        return gates

    @classmethod
    def from_released(cls, weights: str | Path | Mapping[str, Any], config: EcercConfig) -> EcercModel:
        """Builds a model from a state dict of the authors' release.

        Args:
            weights: A file of torch or safetensors, of which tensors alone are read; or the state dict, tensors or
                NumPy arrays by the released names.
            config: Its shape; ``empty_rows="uniform"`` (and on MELD ``meld_slots="released"``) for comparable scores.

        Returns:
            The model, in evaluation mode.

        Raises:
            MissingModelError: There is no such file.
            InvalidDataError: The file does not hold tensors, or names or shapes are not those of the configuration.
        """
        released = _read_state_dict(weights) if isinstance(weights, str | Path) else dict(weights)
        # A parallel wrapper prefixes every name; the position table is computed.
        released = {str(name).removeprefix("module."): value for name, value in released.items()}
        released.pop("position_enc_evi.pos_table", None)
        model = cls(config)
        own = model.state_dict()
        names = {_released_name(name): name for name in own}
        what = f"{weights}: this" if isinstance(weights, str | Path) else "This"
        missing, surplus = sorted(names.keys() - released), sorted(released.keys() - names)
        if missing or surplus:
            lacks = f"lacks {', '.join(missing[:3])}{' …' * (len(missing) > 3)}" if missing else ""
            has = f"has also {', '.join(surplus[:3])}{' …' * (len(surplus) > 3)}" if surplus else ""
            raise InvalidDataError(
                f"{what} is not a released ECERC state dict of the configuration's layers and modalities: it "
                f"{' and '.join(filter(None, (lacks, has)))}. Give a checkpoint of all three modalities, and its "
                "num_layers."
            )
        tensors = {}
        for there, here in names.items():
            tensor = torch.as_tensor(released[there])
            if tensor.shape != own[here].shape:
                raise InvalidDataError(
                    f"{what} released ECERC state dict has {there} of shape {tuple(tensor.shape)}, but the "
                    f"configuration makes it {tuple(own[here].shape)}. Check the widths of the configuration."
                )
            tensors[here] = tensor
        model.load_state_dict(tensors)
        return model.eval()  # type: ignore[no-any-return]


# Parts of our names and those of the released state dicts.
_RELEASED_PARTS = {
    "evidence_gate.projections.text": "modal_filtering.proj_t",
    "evidence_gate.projections.audio": "modal_filtering.proj_a",
    "evidence_gate.projections.video": "modal_filtering.proj_v",
    "evidence_gate.query": "modal_filtering.q",
    "evidence_gate.key": "modal_filtering.k",
    "interactions.self_emotion": "self_contagion_attention",
    "interactions.cross_emotion": "cross_emotion_attention",
    "interactions.self_event": "self_event_attention",
    "interactions.cross_event": "cross_event_attention",
    "event_projection": "proj_eve",
    "emotion_gate": "gate_reset",
    "event_gate": "gate_reset2",
    "classifier": "smax_fc",
    "unused_norm": "layer_norm",
}
_RELEASED_LAYER_PARTS = {
    "query": "slf_attn.w_qs",
    "key": "slf_attn.w_ks",
    "value": "slf_attn.w_vs",
    "output": "slf_attn.fc",
    "attention_norm": "slf_attn.layer_norm",
    "expand": "pos_ffn.w_1",
    "contract": "pos_ffn.w_2",
    "feed_forward_norm": "pos_ffn.layer_norm",
}


def _released_name(name: str) -> str:
    """The released name of a parameter of ours.

    Example:
        >>> _released_name("interactions.self_emotion.layers.0.query.weight")
        'self_contagion_attention.layer_stack.0.slf_attn.w_qs.weight'
    """
    owner, _, kind = name.rpartition(".")
    module, in_layer, layer = owner.partition(".layers.")
    if not in_layer:
        return f"{_RELEASED_PARTS[owner]}.{kind}"
    number, _, part = layer.partition(".")
    return f"{_RELEASED_PARTS.get(module, module)}.layer_stack.{number}.{_RELEASED_LAYER_PARTS[part]}.{kind}"


def _read_state_dict(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    if not path.is_file():
        raise MissingModelError(f"{path}: there is no such file. Give the file of a released ECERC checkpoint.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InvalidDataError(
            f"{path}: this file cannot be read as tensors alone ({str(error).splitlines()[0]}). Give a state dict "
            "saved by torch.save, or safetensors."
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InvalidDataError(f"{path}: expected a state dict, tensors by name, but found something else.")
    return dict(content)
