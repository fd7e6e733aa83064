"""A language model that explains an emotion from a dialogue and, optionally, from frames and faces.

::

    frames --vision tower, pooled--> frame tokens --projector--\
    faces ----------------------------------------projector----+--> between two learned vectors, in the prompt's place
    prompt --token embeddings----------------------------------/    for them --> language model --> answer

Video-ChatGPT's arrangement, which FAME-Net (arXiv 2411.02430) builds on by what is public. Text only is the same model
without frames and faces.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.trainers.explanation.adapters import (
    Tuning,
    add_adapter,
    base_of,
    load_adapter,
    save_adapter,
    saved_folder,
    saved_language_model,
    saved_tower,
    trained_names,
)
from iemomecp_dataset.trainers.explanation.encoding import IGNORED
from iemomecp_dataset.trainers.explanation.language_model import (
    language_model_revision,
    load_language_model,
    load_vision_tower,
)
from iemomecp_dataset.trainers.explanation.projector import ProjectorKind, VideoProjector, pool_hidden_frames

__all__ = ["ExplanationConfig", "ExplanationModel", "ExplanationOutput"]

_WEIGHTS = "model.safetensors"
_TOWER_LAYER = -2


class ExplanationConfig(PreTrainedConfig):  # type: ignore[misc]
    """Shape of an :class:`ExplanationModel`.

    Attributes:
        language_model: The language model's own configuration.
        language_model_name: Folder or name on the Hub that it was loaded from; None for one that was built here.
        language_model_revision: Commit, or a hash of its files.
        gguf_file: File in that folder that holds it in GGUF, or None.
        language_model_elsewhere: Whether a fully tuned language model lies at ``language_model_name``, and not in the
            saved folder.
        vision_tower: The vision tower's own configuration; None without one, as when frame tokens are given.
        vision_tower_name: Folder or name that it was loaded from, or None.
        vision_tower_revision: Commit, or a hash of its files.
        projector: Of frame tokens: ``linear``, or ``mlp`` with two layers.
        frame_size: Width of pooled frame tokens; 0 without frames.
        face_size: Width of face vectors; 0 without faces.
        tuning: What is trained: ``projector``, ``lora``, ``full``, or ``none``.
        lora_rank: Rank of the adapters.
        lora_alpha: Their product is scaled by ``lora_alpha / lora_rank``.
        lora_dropout: Dropout probability of their input.
        lora_targets: Linear layers that get one; ``all-linear`` for all but the output layer.
        max_length: Text tokens of prompt and answer that the model was trained with.
    """

    model_type = "iemomecp_explanation"

    language_model: dict[str, Any] | None = None
    language_model_name: str | None = None
    language_model_revision: str | None = None
    gguf_file: str | None = None
    language_model_elsewhere: bool = False
    vision_tower: dict[str, Any] | None = None
    vision_tower_name: str | None = None
    vision_tower_revision: str | None = None
    projector: ProjectorKind = "linear"
    frame_size: int = 0
    face_size: int = 0
    tuning: Tuning = "full"
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.05
    lora_targets: str | list[str] = "all-linear"
    max_length: int = 512

    def __post_init__(self, **kwargs: Any) -> None:
        """Checks values.

        Raises:
            UsageError: There is no such choice, a number is out of bounds, or nothing would be trained.
        """
        for name, choices in (("projector", get_args(ProjectorKind)), ("tuning", get_args(Tuning))):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} has no value {getattr(self, name)!r}. "
                                 f"{did_you_mean(str(getattr(self, name)), choices)}")  # fmt: skip
        for name, least in {"frame_size": 0, "face_size": 0, "lora_rank": 1, "max_length": 1}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, but is {getattr(self, name)}.")
        if not 0 <= self.lora_dropout < 1:
            raise UsageError(f"lora_dropout is a probability below 1, but is {self.lora_dropout}.")
        if self.tuning == "projector" and not self.has_video:
            raise UsageError(
                "tuning=projector trains the layers between frames or faces and the language model, and there are "
                "neither. Give frames or faces, or use tuning=lora or tuning=full."
            )
        super().__post_init__(**kwargs)

    @property
    def has_video(self) -> bool:
        """Whether prompts have a place for frames and faces."""
        return bool(self.frame_size or self.face_size)


@dataclass
class ExplanationOutput(ModelOutput):  # type: ignore[misc]
    """Output of an :class:`ExplanationModel`; read it by name.

    Attributes:
        loss: Scalar, mean over all labelled tokens; None without labels.
        logits: ``(B, L, V)``, or ``(B, M, V)`` of an encoder-decoder. With labels, a causal model gives them on request
            alone, as those of the prompt are large and not needed.
        token_losses: ``(B,)``, sums over the labelled tokens of each example.
        token_counts: ``(B,)`` int, how many there are.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    token_losses: Tensor | None = None
    token_counts: Tensor | None = None


class ExplanationModel(PreTrainedModel):  # type: ignore[misc]
    """Explains the emotion of an utterance in words.

    ``state_dict`` holds what is trained and nothing else, so that checkpoints of adapters are small; a deep copy shares
    the frozen weights with the original. ``save_pretrained`` and ``from_pretrained`` are described in
    :mod:`~iemomecp_dataset.trainers.explanation.adapters`.

    Args:
        config: Its shape.
        language_model: The language model, perhaps with adapters; by default one with random weights.
        vision_tower: The vision tower; likewise.
    """

    config_class = ExplanationConfig
    base_model_prefix = "explanation"
    supports_gradient_checkpointing = True

    def __init__(self, config: ExplanationConfig, language_model: Any = None, vision_tower: Any = None):
        super().__init__(config)
        from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

        if language_model is None:
            own = AutoConfig.for_model(**(config.language_model or {}))
            language_model = (AutoModelForSeq2SeqLM if own.is_encoder_decoder else AutoModelForCausalLM).from_config(
                own
            )
        if vision_tower is None and config.vision_tower is not None:
            vision_tower = AutoModel.from_config(AutoConfig.for_model(**config.vision_tower))
        if vision_tower is not None and vision_tower.config.hidden_size != config.frame_size:
            raise UsageError(
                f"The vision tower is {vision_tower.config.hidden_size} wide, but the projector was built for "
                f"{config.frame_size}. Use the tower that it was trained with, or build it with frame_size="
                f"{vision_tower.config.hidden_size}."
            )
        embeddings = base_of(language_model).get_input_embeddings()
        width = int(embeddings.weight.shape[1])
        self.projector = VideoProjector(config.projector, config.frame_size, config.face_size, width)
        self.post_init()
        if self.projector.boundaries is not None:
            # As large as the embeddings that they stand among.
            with torch.no_grad():
                scale = embeddings.weight.float().std()
                self.projector.boundaries.copy_(torch.randn(self.projector.boundaries.shape) * scale)
        # After post_init, which would initialise their weights anew.
        if config.tuning == "lora" and not hasattr(language_model, "peft_config"):
            language_model = add_adapter(
                language_model,
                rank=config.lora_rank,
                alpha=config.lora_alpha,
                dropout=config.lora_dropout,
                targets=config.lora_targets,
            )
        if config.tuning in ("projector", "none"):
            language_model.requires_grad_(False)
        if config.tuning == "none":
            self.projector.requires_grad_(False)
        self.language_model = language_model
        self.vision_tower = None if vision_tower is None else vision_tower.requires_grad_(False)
        base = base_of(language_model)
        self._parameters_of_forward = frozenset(inspect.signature(base.forward).parameters)
        self.register_state_dict_post_hook(_keep_trained)
        self.register_load_state_dict_post_hook(_forgive_untrained)

    @classmethod
    def from_parts(
        cls,
        language_model_name: str | Any,
        *,
        gguf_file: str | None = None,
        revision: str | None = None,
        vision_tower: str | Any | None = None,
        frame_size: int = 0,
        dtype: Any = "float32",
        language_model_options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> ExplanationModel:
        """Builds a model on a pretrained language model, with an untrained projector.

        Args:
            language_model_name: Folder or name on the Hub, or the model itself.
            gguf_file: File in the folder that holds it in GGUF.
            revision: Commit, branch or tag of the language model.
            vision_tower: Folder or name of a vision tower, or the tower itself; None where frame tokens are given.
            frame_size: Width of frame tokens; by default that of the tower.
            dtype: Type of the pretrained weights.
            language_model_options: Passed on to the language model's ``from_pretrained``.
            settings: Fields of :class:`ExplanationConfig`.

        Raises:
            MissingModelError: A model is neither on disk nor reachable.
            MissingDependencyError: ``peft`` or ``gguf`` is not installed and needed.
            UsageError: Settings do not fit each other, or the tower is of another width than the projector.
        """
        name = language_model_name if isinstance(language_model_name, str) else None
        language_model: Any = language_model_name
        if name is not None:
            options = dict(language_model_options or {})
            language_model = load_language_model(name, gguf_file=gguf_file, revision=revision, dtype=dtype, **options)
        tower_name = vision_tower if isinstance(vision_tower, str) else None
        tower: Any = vision_tower if tower_name is None else load_vision_tower(tower_name, dtype=dtype)
        if tower is not None:
            frame_size = frame_size or int(tower.config.hidden_size)
        config = cls.config_class(
            language_model=language_model.config.to_dict(),
            language_model_name=name,
            language_model_revision=name and language_model_revision(name, language_model.config, gguf_file),
            gguf_file=gguf_file,
            vision_tower=None if tower is None else tower.config.to_dict(),
            vision_tower_name=tower_name,
            vision_tower_revision=tower_name and language_model_revision(tower_name, tower.config),
            frame_size=frame_size,
            **settings,
        )
        model: ExplanationModel = cls(config, language_model, tower).eval()
        return model

    @property
    def encoder_decoder(self) -> bool:
        """Whether the language model is an encoder-decoder."""
        return bool(base_of(self.language_model).config.is_encoder_decoder)

    @property
    def max_positions(self) -> int | None:
        """Most tokens that the language model has positions for; None without such a bound."""
        most = getattr(base_of(self.language_model).config, "max_position_embeddings", None)
        return None if most is None else int(most)

    @property
    def patches_per_frame(self) -> int:
        """Patches of a frame in the vision tower, which follow its class token and the like; 0 without a tower."""
        if self.vision_tower is None:
            return 0
        return int(self.vision_tower.config.image_size // self.vision_tower.config.patch_size) ** 2

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        return base_of(self.language_model).get_input_embeddings()  # type: ignore[no-any-return]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces them."""
        base_of(self.language_model).set_input_embeddings(value)

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Recomputes activations of the language model in the backward pass, which saves memory."""
        base = base_of(self.language_model)
        # Its name since transformers 5.2x; the old one warns there.
        enable = getattr(base, "activation_checkpointing_enable", base.gradient_checkpointing_enable)
        enable(gradient_checkpointing_kwargs)
        if self.config.tuning == "lora":
            # Without it nothing that enters the first layer would need a gradient.
            base.enable_input_require_grads()

    def gradient_checkpointing_disable(self) -> None:
        """Keeps activations again."""
        base_of(self.language_model).gradient_checkpointing_disable()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers keep torch's own initialisation."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        frames: Tensor | None = None,
        frame_mask: Tensor | None = None,
        faces: Tensor | None = None,
        face_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        *,
        output_logits: bool | None = None,
    ) -> ExplanationOutput:
        """Scores answers.

        Args:
            input_ids: ``(B, L)`` int, negative at places of frames and faces; see
                :meth:`~iemomecp_dataset.trainers.explanation.encoding.ExplanationEncoder.collate`.
            attention_mask: ``(B, L)``, 0 at padding; by default all 1.
            labels: ``(B, L)`` int, -100 where nothing is learned; of an encoder-decoder ``(B, M)``.
            frames: ``(B, K, d)``, pooled frame tokens.
            frame_mask: ``(B, K)`` bool, which are real; with ``pixel_values`` ``(B, T)``.
            faces: ``(B, F, e)``.
            face_mask: ``(B, F)`` bool.
            pixel_values: ``(B, T, 3, H, W)``, frames for the vision tower, in place of ``frames``.
            output_logits: Whether a causal model gives all logits; by default only without labels.

        Raises:
            UsageError: Vectors and model, or the length and the language model, do not fit each other.
        """
        inputs = self._inputs(input_ids, attention_mask, frames, frame_mask, faces, face_mask, pixel_values)
        if self.encoder_decoder:
            return self._decode(inputs, labels)
        if labels is None or output_logits:
            logits = self.language_model(**inputs, use_cache=False).logits
            if labels is None:
                return ExplanationOutput(logits=logits)
            return _output(logits[:, :-1], labels[:, 1:], logits)
        # Logits of a long prompt over a large vocabulary are a good part of all work. Prompts are padded on the left,
        # so that the answers of a batch share columns.
        columns = (labels[:, 1:] != IGNORED).any(dim=0).nonzero().flatten()
        if not len(columns):
            columns = torch.zeros(1, dtype=torch.long, device=labels.device)
        if "logits_to_keep" in self._parameters_of_forward:
            logits = self.language_model(**inputs, use_cache=False, logits_to_keep=columns).logits
        else:
            logits = self.language_model(**inputs, use_cache=False).logits[:, columns]
        return _output(logits, labels[:, 1:][:, columns], None)

    @torch.no_grad()
    def generate_tokens(
        self,
        batch: Mapping[str, Tensor],
        *,
        max_new_tokens: int,
        num_beams: int = 1,
        end_ids: Sequence[int] = (),
        pad_id: int | None = None,
    ) -> Tensor:
        """Writes answers, greedily or with beams.

        Sampling and penalties that the language model's own generation settings ask for are not used.

        Args:
            batch: Of ``collate(…, for_generation=True)``.
            max_new_tokens: Most tokens of an answer.
            num_beams: Beams; 1 for greedy decoding.
            end_ids: Tokens that end an answer, beside those of the language model's own settings.
            pad_id: What stands behind the end; by default the language model's, or an end token.

        Returns:
            ``(B, M)`` int, the answers alone, end tokens included.

        Raises:
            UsageError: The language model has no positions for prompts and answers of that length.
        """
        if not self.encoder_decoder and not bool(batch["attention_mask"][:, -1].all()):
            raise UsageError("Answers are written behind the prompts, which must be padded on the left.")
        base = base_of(self.language_model)
        names = ("frames", "frame_mask", "faces", "face_mask", "pixel_values")
        inputs = self._inputs(batch["input_ids"], batch["attention_mask"], *(batch.get(name) for name in names))
        # The language model computes them itself, step by step.
        inputs.pop("position_ids", None)
        self._check_room(1 if self.encoder_decoder else batch["input_ids"].shape[1], max_new_tokens)
        settings = self._generation_settings(max_new_tokens, num_beams, end_ids, pad_id)
        kept, base.generation_config = base.generation_config, settings
        training = self.training
        self.eval()
        try:
            found: Tensor = self.language_model.generate(**inputs, generation_config=settings)
        finally:
            base.generation_config = kept
            self.train(training)
        if self.encoder_decoder:
            return found[:, 1:]
        return found[:, inputs["input_ids"].shape[1] :] if "input_ids" in inputs else found

    def end_ids(self) -> tuple[int, ...]:
        """End tokens of the language model's own generation settings."""
        own = base_of(self.language_model).generation_config.eos_token_id
        return tuple(own) if isinstance(own, list | tuple) else () if own is None else (int(own),)

    def _generation_settings(
        self, max_new_tokens: int, num_beams: int, end_ids: Sequence[int], pad_id: int | None
    ) -> Any:
        from transformers import GenerationConfig

        own = base_of(self.language_model).generation_config
        ends = list(dict.fromkeys([*end_ids, *self.end_ids()]))
        pad = next((token for token in (pad_id, own.pad_token_id, *ends) if token is not None), None)
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=num_beams,
            do_sample=False,
            use_cache=True,
            eos_token_id=ends or None,
            pad_token_id=pad,
            **{
                name: getattr(own, name, None)
                for name in ("bos_token_id", "decoder_start_token_id", "forced_bos_token_id")
            },
        )

    def _inputs(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        frames: Tensor | None,
        frame_mask: Tensor | None,
        faces: Tensor | None,
        face_mask: Tensor | None,
        pixel_values: Tensor | None,
    ) -> dict[str, Tensor]:
        """What the language model reads: token ids, or vectors where there are frames or faces."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        self._check_length(input_ids.shape[1])
        inputs = {"attention_mask": attention_mask}
        if not self.encoder_decoder and "position_ids" in self._parameters_of_forward:
            inputs["position_ids"] = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        if pixel_values is not None:
            frames, frame_mask = self._watch(pixel_values, frame_mask)
        if not self.config.has_video and frames is None and faces is None and not bool((input_ids < 0).any()):
            return {**inputs, "input_ids": input_ids}
        embedded = self.get_input_embeddings()(input_ids.clamp(min=0))
        return {
            **inputs,
            "inputs_embeds": self.projector(embedded, input_ids, frames, frame_mask, faces, face_mask),
        }

    def _check_length(self, length: int) -> None:
        most = self.max_positions
        if not self.encoder_decoder and most is not None and length > most:
            raise UsageError(
                f"Prompt, frames and answer take {length} tokens, but the language model has positions for {most}. "
                "Lower max_length, or take fewer frames of a clip."
            )

    def _check_room(self, length: int, max_new_tokens: int) -> None:
        """Refuses answers that reach beyond the last position; the last token of an answer is not read."""
        most = self.max_positions
        if most is not None and length + max_new_tokens - 1 > most:
            raise UsageError(
                f"The language model has positions for {most} tokens, which the prompt ({length}) and an answer of up "
                f"to {max_new_tokens} exceed. Lower max_new_tokens, or max_length."
            )

    @torch.no_grad()
    def _watch(self, pixel_values: Tensor, frame_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Frame tokens of clips: a hidden layer of the vision tower, without class token, pooled."""
        if self.vision_tower is None:
            raise UsageError(
                "There are frames as pixels, but the model has no vision tower. Build it with vision_tower=, or give "
                "pooled frame tokens as frames=."
            )
        clips, length = pixel_values.shape[:2]
        if frame_mask is None:
            frame_mask = torch.ones(clips, length, dtype=torch.bool, device=pixel_values.device)
        real = pixel_values[frame_mask].to(self.vision_tower.dtype)
        states = self.vision_tower(real, output_hidden_states=True).hidden_states[_TOWER_LAYER]
        hidden = states.new_zeros(clips, length, self.patches_per_frame, states.shape[-1])
        hidden[frame_mask] = states[:, -self.patches_per_frame :]
        return pool_hidden_frames(hidden, frame_mask)

    def _decode(self, inputs: Mapping[str, Tensor], labels: Tensor | None) -> ExplanationOutput:
        if labels is None:
            raise UsageError("An encoder-decoder scores answers: give labels=, or call generate_tokens.")
        base = base_of(self.language_model)
        if hasattr(base, "prepare_decoder_input_ids_from_labels"):
            answer = {"decoder_input_ids": base.prepare_decoder_input_ids_from_labels(labels=labels)}
        else:
            answer = {"labels": labels}
        logits = self.language_model(**inputs, **answer, use_cache=False).logits
        return _output(logits, labels, logits)

    def __deepcopy__(self, memo: dict[int, Any]) -> ExplanationModel:
        """A copy that shares the frozen weights."""
        memo.update({id(parameter): parameter for parameter in self.parameters() if not parameter.requires_grad})
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__dict__.update(deepcopy(self.__dict__, memo))
        return copied

    def save_pretrained(
        self, save_directory: str | Path, is_main_process: bool = True, push_to_hub: bool = False, **kwargs: Any
    ) -> None:
        """Writes what was trained, and with full tuning everything; see the module on adapters.

        Args:
            save_directory: The folder.
            is_main_process: Whether this process writes.
            push_to_hub: Upload the folder afterwards.
            kwargs: Of the upload: ``repo_id``, ``commit_message``, ``private``, ``token``.

        Raises:
            UsageError: The language model that adapters belong to has no name to load it by again.
        """
        from safetensors.torch import save_file

        if not is_main_process:
            return
        folder = Path(save_directory)
        tuning = self.config.tuning
        whole = tuning == "full" and not self.config.language_model_elsewhere
        if not whole and self.config.language_model_name is None:
            raise UsageError(
                f"tuning={tuning} stores what was trained and names the language model, but this one was given as an "
                "object. Build the model with from_parts(FOLDER_OR_NAME), or set config.language_model_name."
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(folder)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.projector.state_dict().items()}
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})
        if tuning == "lora":
            save_adapter(self.language_model, folder / "adapter")
        if whole:
            self.language_model.save_pretrained(folder / "language_model")
        if self.vision_tower is not None and (whole or self.config.vision_tower_name is None):
            self.vision_tower.save_pretrained(folder / "vision_tower")
        if push_to_hub:
            self._upload(folder, kwargs)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        config: ExplanationConfig | None = None,
        language_model: str | Any | None = None,
        vision_tower: str | Any | None = None,
        revision: str | None = None,
        dtype: Any = None,
        token: str | bool | None = None,
        **kwargs: Any,
    ) -> ExplanationModel:
        """Loads a saved model, and the language model that its adapters belong to.

        Args:
            pretrained_model_name_or_path: The folder, or a name on the Hub.
            args: Not used.
            config: In place of the saved one.
            language_model: Where the language model is now, if it has moved; or the model itself.
            vision_tower: Likewise.
            revision: Commit, branch or tag of the saved model.
            dtype: Type of all weights; by default those of frozen parts are float32.
            token: For the Hub.
            kwargs: ``attn_implementation``, ``device_map`` and ``quantization_config`` go to the language model; what
                else transformers passes is not used.

        Raises:
            MissingModelError: A model is not where its name says; the message names the option.
            UsageError: The weights do not fit.
        """
        from safetensors.torch import load_file

        folder = saved_folder(str(pretrained_model_name_or_path), revision, token)
        config = config if config is not None else cls.config_class.from_pretrained(folder)
        passed = {"attn_implementation", "device_map", "quantization_config"}
        options = {name: value for name, value in kwargs.items() if name in passed}
        loaded = saved_language_model(folder, config, language_model, dtype or "float32", options)
        tower = saved_tower(folder, config, vision_tower, dtype or "float32")
        if config.tuning == "lora":
            loaded = load_adapter(loaded, folder / "adapter")
        model = cls(config, loaded, tower)
        try:
            model.projector.load_state_dict(load_file(folder / _WEIGHTS))
        except (OSError, RuntimeError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise UsageError(
                f"The weights in {folder / _WEIGHTS} do not fit the model that its configuration and language model "
                f"describe ({first_line}). Give the language model that it was trained with as language_model=."
            ) from error
        if dtype not in (None, "auto"):
            model.projector.to(getattr(torch, dtype) if isinstance(dtype, str) else dtype)
        model.name_or_path = config.name_or_path = str(folder)
        loaded_model: ExplanationModel = model.eval()
        return loaded_model

    def _upload(self, folder: Path, options: Mapping[str, Any]) -> None:
        from huggingface_hub import HfApi

        api = HfApi(token=options.get("token"))
        repository = api.create_repo(
            options.get("repo_id") or folder.name, private=options.get("private"), exist_ok=True
        )
        api.upload_folder(repo_id=repository.repo_id, folder_path=folder, commit_message=options.get("commit_message"))


def _output(logits: Tensor, labels: Tensor, shown: Tensor | None) -> ExplanationOutput:
    """Losses of labelled tokens; ``logits`` ``(B, M, V)`` predict ``labels`` ``(B, M)``."""
    losses = F.cross_entropy(logits.float().transpose(1, 2), labels, reduction="none", ignore_index=IGNORED)
    if logits.dtype == torch.float64:
        losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=IGNORED)
    sums, counts = losses.sum(dim=1), (labels != IGNORED).sum(dim=1)
    return ExplanationOutput(
        loss=sums.sum() / counts.sum().clamp(min=1), logits=shown, token_losses=sums, token_counts=counts
    )


def _keep_trained(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """Drops what is not trained from a state dict, and further names of a tensor that it has already."""
    kept = {prefix + name for name in trained_names(module)}
    for name in [name for name in state if name.startswith(prefix) and name not in kept]:
        del state[name]


def _forgive_untrained(module: nn.Module, incompatible: Any) -> None:
    """Does not miss what :func:`_keep_trained` drops."""
    trained = trained_names(module)
    own = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    own += [name for name, _ in module.named_buffers(remove_duplicate=False)]
    untrained = tuple(set(own) - trained)
    missing = incompatible.missing_keys
    missing[:] = [key for key in missing if not any(key == name or key.endswith("." + name) for name in untrained)]
