"""Tiny speech and image encoders with random weights, for trials of the extraction without downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iemomecp_dataset.features.encoders.model_loading import require_torch
from iemomecp_dataset.files import make_folder, writing_to

__all__ = ["write_random_model", "write_tiny_image_encoder", "write_tiny_speech_encoder"]


def write_tiny_speech_encoder(
    output_dir: str | Path, *, family: str = "wavlm", norm: str = "group", hidden_size: int = 16, seed: int = 0
) -> Path:
    """Writes a speech encoder with the framing of the genuine models: frames of 25 ms every 20 ms, at 16 kHz.

    Args:
        output_dir: Output folder, readable by ``AutoModel`` and ``AutoFeatureExtractor``.
        family: ``wavlm`` or ``wav2vec2``.
        norm: ``group`` as in the base models, or ``layer`` as in the large ones.
        hidden_size: Width of the hidden states.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        MissingDependencyError: torch or transformers is not installed.

    See Also:
        :func:`write_tiny_image_encoder`.
    """
    transformers = require_torch()
    config_class, model_class = {
        "wavlm": (transformers.WavLMConfig, transformers.WavLMModel),
        "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
    }[family]
    config = config_class(
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * hidden_size,
        conv_dim=(hidden_size,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
    )
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer")
    return write_random_model(model_class, config, extractor, output_dir, seed)


def write_tiny_image_encoder(output_dir: str | Path, *, size: int = 12, seed: int = 0) -> Path:
    """Writes a CLIP model for images of 32 x 32 pixels.

    Args:
        output_dir: Output folder, readable by ``AutoModel`` and ``AutoImageProcessor``.
        size: Width of the image embedding.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        MissingDependencyError: torch or transformers is not installed.

    See Also:
        :func:`write_tiny_speech_encoder`.
    """
    transformers = require_torch()
    tower = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.CLIPConfig(
        text_config=tower | {"vocab_size": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
        vision_config=tower | {"image_size": 32, "patch_size": 16},
        projection_dim=size,
    )
    # This processor does not need torchvision.
    processor_class = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    processor = processor_class(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return write_random_model(transformers.CLIPModel, config, processor, output_dir, seed)


def write_random_model(model_class: Any, config: Any, processor: Any, output_dir: str | Path, seed: int) -> Path:
    """Writes a model with random weights, and what prepares its input; torch's random state stays as it was.

    Args:
        model_class: A class of transformers.
        config: The model's configuration.
        processor: Feature extractor, image processor or tokenizer.
        output_dir: Folder that ``AutoModel`` and the like then read.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        UsageError: The folder cannot be written to.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config)
    output_dir = Path(output_dir)
    make_folder(output_dir)
    with writing_to(output_dir):
        model.save_pretrained(output_dir)
        processor.save_pretrained(output_dir)
    return output_dir
