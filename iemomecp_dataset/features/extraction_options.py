"""Every option of an extraction, typed, with its default and help text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = ["DEFAULT_MODELS", "MODALITIES", "ExtractionOptions"]

MODALITIES = ("audio", "video", "text")

DEFAULT_MODELS = {
    "audio": "microsoft/wavlm-base-plus",
    "video": "openai/clip-vit-large-patch14",
    "text": "FacebookAI/roberta-base",
}
"""The encoders of the published baselines (arXiv 2605.25208); for audio, ``facebook/wav2vec2-base`` is RPCL's."""


def _option(default: Any, help_text: str, *choices: str) -> Any:
    return field(default=default, metadata={"help": help_text, "choices": choices})


@dataclass(frozen=True)
class ExtractionOptions:
    """One extraction: a corpus, a modality, a model, settings, a folder."""

    data_dir: str = field(metadata={"help": "folder of the corpus, as for load_dataset", "choices": ()})
    modality: str = field(metadata={"help": "what to extract", "choices": MODALITIES})
    output_dir: str = field(metadata={"help": "folder of the store: new, or one to continue", "choices": ()})
    model: str | None = _option(
        None, f"encoder, a name on the Hub or a folder (default: {', '.join(DEFAULT_MODELS.values())}, by modality)"
    )
    revision: str | None = _option(None, "commit, branch or tag of the model on the Hub")
    config_name: str = _option("3class", "configuration of the corpus: 3class, source_binary, ecf, mecad, mec4, reccon")
    layers: str = _option(
        "last", "hidden layers, comma-separated and concatenated, negative from the top; last: what the model puts out"
    )
    pooling: str = _option("mean", "over valid frames, pictures or tokens", "mean", "first", "max")
    precision: str = _option("fp32", "arithmetic of the encoder", "fp32", "bf16", "fp16")
    store_dtype: str = _option("float32", "number format of the store", "float32", "float16")
    sampling_rate: int | None = _option(None, "audio: Hz the encoder wants (default: what its own files say)")
    max_seconds: float = _option(
        30.0, "audio: longer utterances are cut in equal chunks, pooled over all their frames, and noted in the index"
    )
    frames: int = _option(8, "video: pictures sampled in an utterance")
    frame_strategy: str = _option(
        "uniform", "video: spread over the utterance, or the one in its middle", "uniform", "middle"
    )
    crop: str = _option(
        "auto",
        "video: the speaker's half of a picture with both actors; auto: speaker for IEMOCAP, none elsewhere",
        "auto",
        "speaker",
        "none",
    )
    left_actor: str = _option(
        "marked",
        "video: who is in the left half: F, M, marked (the one that the dialogue id names: F in Ses01F_impro01), "
        "unmarked, or a JSON file {dialogue_id: F or M}",
    )
    max_tokens: int = _option(512, "text: longer ones are cut and noted in the index")
    media_dir: str | None = _option(None, "folder of the clips of a corpus that names none (ECF, MECAD, MEC4)")
    media_pattern: str | None = _option(
        None,
        "file of an utterance within --media_dir, with {utterance_id}, {dialogue_id}, {turn}, {speaker}, {split} "
        "(default: {utterance_id}.mp4; mec4: {dialogue_id}.mp4)",
    )
    clip: str = _option(
        "auto",
        "what a file holds: an utterance, or a whole dialogue in which the utterance's times are sought; auto: "
        "dialogue for IEMOCAP's videos and for mec4",
        "auto",
        "utterance",
        "dialogue",
    )
    times: str | None = _option(None, "CSV with utterance_id, start, end in seconds, in place of the corpus's times")
    batch_seconds: float = _option(80.0, "audio: seconds of sound in a batch, padding counted")
    batch_size: int = _option(32, "utterances in a batch, at most")
    shard_size: int = _option(
        128, "utterances in a shard; what is being computed when the process dies is computed anew"
    )
    device: str = _option("auto", "auto, cpu, cuda, cuda:1, mps")
    num_workers: int = _option(4, "threads that decode ahead of the encoder")
    limit: int | None = _option(None, "only the first N utterances; such a store is one of its own")
    dry_run: bool = _option(False, "say what would be done, load no model, write nothing")
    strict: bool = _option(False, "stop at the first utterance without a vector")
    retry_missing: bool = _option(False, "compute the shards anew that lack vectors, after the media were mended")
    process_index: int | None = _option(
        None, "which share of the shards is this process's (default: from the launcher)"
    )
    num_processes: int | None = _option(None, "how many processes share the extraction (default: from the launcher)")
    quiet: bool = _option(False, "no progress bar")

    def check(self) -> None:
        """Refuses options that cannot work, alone or together.

        Raises:
            UsageError: Says which, and the way out.
        """
        from dataclasses import fields

        for option in fields(self):
            choices = option.metadata["choices"]
            value = getattr(self, option.name)
            if choices and value not in choices:
                raise UsageError(f"--{option.name} has no value {value!r}. {did_you_mean(str(value), choices)}")
        for name in ("frames", "max_tokens", "batch_size", "shard_size", "num_workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 1, but is {getattr(self, name)}.")
        for name in ("limit", "sampling_rate", "num_processes"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UsageError(f"--{name} must be at least 1, but is {value}.")
        if self.max_seconds < 1 or self.batch_seconds < 1:
            raise UsageError(
                f"--max_seconds and --batch_seconds must be at least 1, but are {self.max_seconds} and "
                f"{self.batch_seconds}."
            )
        if self.layers != "last":
            try:
                [int(layer) for layer in self.layers.split(",")]
            except ValueError:
                raise UsageError(
                    f"--layers must be 'last' or numbers such as 6 or -1,-4, but is {self.layers!r}."
                ) from None
        if (self.process_index is None) != (self.num_processes is None):
            raise UsageError("--process_index and --num_processes go together: give both or none.")

    @property
    def model_name(self) -> str:
        """The encoder that was asked for, or the modality's default."""
        return self.model or DEFAULT_MODELS[self.modality]
