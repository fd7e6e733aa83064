"""Every option of an extraction, typed, with its default and help text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from iemomecp_dataset.command_line import REQUIRED, check_values, option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import DialogueConfig

__all__ = ["DEFAULT_MODELS", "ExtractionOptions"]

Modality = Literal["audio", "video", "text", "event", "frames"]

DEFAULT_MODELS = {
    "audio": "microsoft/wavlm-base-plus",
    "video": "openai/clip-vit-large-patch14",
    "text": "FacebookAI/roberta-base",
    "event": "FacebookAI/roberta-base",
    "frames": "openai/clip-vit-large-patch14-336",
}
"""The encoders of the published baselines (arXiv 2605.25208); for audio, ``facebook/wav2vec2-base`` is RPCL's.

``event`` are vectors of the same frozen text encoders as ``text``: the stream of general text vectors of ECERC, beside
``text`` vectors that were tuned on emotions. Computed with the same options, they are equal. ``frames`` are the tokens
of a clip for a language model, of the tower that FAME-Net names (arXiv 2411.02430).
"""


@dataclass(frozen=True)
class ExtractionOptions:
    """One extraction: a corpus, a modality, a model, settings, a folder.

    ``setting=False`` marks what is not among the settings of the store's card: circumstances of the work, and what
    the card states under a key of its own.
    """

    data_dir: str = option(REQUIRED, "folder of the corpus, as for load_dataset", setting=False)
    modality: Modality = option(REQUIRED, "modality to extract", setting=False)
    output_dir: str = option(REQUIRED, "folder of the store: new, or one to continue", setting=False)
    model: str | None = option(
        None,
        "encoder, a name on the Hub or a folder (default by modality: "
        f"{', '.join(dict.fromkeys(DEFAULT_MODELS.values()))})",
        setting=False,
    )
    revision: str | None = option(None, "commit, branch or tag of the model on the Hub", setting=False)
    config_name: DialogueConfig = option("3class", "configuration of the corpus", setting=False)
    layers: str = option(
        "last", "hidden layers, comma-separated and concatenated, negative from the top; last: the model's own output"
    )
    pooling: Literal["mean", "first", "max"] = option("mean", "pooling over valid frames or tokens")
    precision: Literal["fp32", "bf16", "fp16"] = option("fp32", "arithmetic of the encoder")
    store_dtype: Literal["float32", "float16"] = option("float32", "number format of the store", setting=False)
    sampling_rate: int | None = option(
        None,
        "audio: sampling rate of the encoder in Hz (default: the one its own files state)",
        minimum=1,
        limit=1_000_000,
    )
    max_seconds: float = option(
        30.0,
        "audio: longer utterances are cut in equal chunks, pooled over all their frames, and noted in the index",
        minimum=1,
        limit=1e6,
    )
    frames: int = option(8, "video: frames sampled in an utterance", minimum=1, limit=10_000)
    frame_strategy: Literal["uniform", "middle"] = option(
        "uniform", "video: frames spread over the utterance, or the one in its middle"
    )
    crop: Literal["auto", "speaker", "none"] = option(
        "auto", "video: the speaker's half of a frame with both actors; auto: speaker for IEMOCAP, none elsewhere"
    )
    left_actor: str = option(
        "marked",
        "video: actor in the left half: F, M, marked (the one that the dialogue id names: F in Ses01F_impro01), "
        "unmarked, or a JSON file {dialogue_id: F or M}",
    )
    max_frames: int = option(
        100,
        "frames: largest number of frames of a clip, at the middles of as many equal segments",
        minimum=1,
        limit=1_000_000,
    )
    frame_layer: int = option(
        -2, "frames: hidden layer of the vision tower, negative from the top; 0 is the input of its first layer"
    )
    # A text encoder's tokenizer adds two tokens of its own, and cuts a text no shorter than those.
    max_tokens: int = option(512, "text: longer ones are cut and noted in the index", minimum=2)
    media_dir: str | None = option(
        None, "folder of the clips of a corpus that names none (ECF, MECAD, MEC4)", setting=False
    )
    media_pattern: str | None = option(
        None,
        "file of an utterance within --media_dir, with {utterance_id}, {dialogue_id}, {turn}, {speaker}, {split} "
        "(default: {utterance_id}.mp4; mec4: {dialogue_id}.mp4)",
    )
    clip: Literal["auto", "utterance", "dialogue"] = option(
        "auto",
        "content of a media file: an utterance, or a whole dialogue from which the utterance is cut by its times; "
        "auto: dialogue for IEMOCAP's videos and for mec4",
    )
    times: str | None = option(
        None, "CSV with utterance_id, start, end in seconds, in place of the corpus's times", setting=False
    )
    batch_seconds: float = option(80.0, "audio: seconds of audio in a batch, padding counted", minimum=1, limit=1e6)
    batch_size: int = option(32, "largest number of utterances in a batch; of frames: of frames of one clip", minimum=1)
    shard_size: int = option(
        128, "utterances in a shard; a shard that is interrupted is computed again from its start", minimum=1
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1, mps", setting=False)
    num_workers: int = option(4, "threads that decode ahead of the encoder", minimum=1, limit=1000, setting=False)
    limit: int | None = option(
        None, "only the first N utterances; such a store is one of its own", minimum=1, setting=False
    )
    dry_run: bool = option(False, "print the plan, load no model, write nothing", setting=False)
    strict: bool = option(False, "stop at the first utterance without a vector", setting=False)
    allow_missing: bool = option(
        False, "frames: finish a store even if more than 1 % of its clips are missing or unreadable", setting=False
    )
    retry_missing: bool = option(
        False, "compute the shards that lack vectors again, once the media are repaired", setting=False
    )
    process_index: int | None = option(
        None, "index of this process's share of the shards (default: from the launcher)", setting=False
    )
    num_processes: int | None = option(
        None, "number of processes that share the extraction (default: from the launcher)", minimum=1, setting=False
    )
    quiet: bool = option(False, "no progress bar", setting=False)

    def check(self) -> None:
        """Refuses values that do not fit, and options that cannot work together.

        Raises:
            UsageError: Says which, and the way out.
        """
        check_values(self)
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
    def needs_media(self) -> bool:
        """Whether vectors are computed from recordings; ``text`` and ``event`` are computed from texts."""
        return self.modality in ("audio", "video", "frames")

    @property
    def model_name(self) -> str:
        """The encoder that was asked for, or the modality's default."""
        return self.model or DEFAULT_MODELS[self.modality]
