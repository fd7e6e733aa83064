"""A tiny text encoder with random weights, for the demo and the tests, which must not need a pretrained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.encoders.tiny_models import write_random_model

__all__ = ["byte_level_bpe", "write_tiny_encoder"]


def write_tiny_encoder(
    texts: Iterable[str],
    output_dir: str | Path,
    *,
    hidden_size: int = 96,
    num_layers: int = 2,
    vocab_size: int = 2000,
    seed: int = 0,
) -> Path:
    """Writes a RoBERTa with random weights, and a byte-level BPE tokenizer trained on some texts.

    It is for trying the software, not for results: it has not been trained on any language.

    Args:
        texts: Texts to train the tokenizer on; those of the train split.
        output_dir: Folder that ``AutoModel.from_pretrained`` and ``AutoTokenizer.from_pretrained`` then read.
        hidden_size: Width.
        num_layers: Depth.
        vocab_size: Largest size of the vocabulary.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        UsageError: There are no texts, or the folder cannot be written to.
    """
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = byte_level_bpe(texts, special, vocab_size=vocab_size, prefix_space=True, unknown="<unk>")
    bpe.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<s>",
        cls_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        sep_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=128,
    )
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=130,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    return write_random_model(RobertaModel, config, tokenizer, output_dir, seed)


def byte_level_bpe(
    texts: Iterable[str], special: Sequence[str], *, vocab_size: int, prefix_space: bool, unknown: str | None = None
) -> Any:
    """Trains a byte-level BPE tokenizer.

    Args:
        texts: Texts to train on.
        special: Special tokens, which get the first ids in this order.
        vocab_size: Largest size of the vocabulary.
        prefix_space: Whether a blank is put before a text.
        unknown: Which of the special tokens stands for what is not in the vocabulary; None for none.

    Returns:
        A ``tokenizers.Tokenizer``.

    Raises:
        UsageError: There are no texts.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    texts = list(texts)
    if not any(text.strip() for text in texts):
        raise UsageError("There are no texts to train a tokenizer on.")
    bpe = Tokenizer(models.BPE(unk_token=unknown))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            special_tokens=list(special),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return bpe
