"""A tiny text encoder with random weights, for the demo and the tests, which must not need a pretrained model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.encoders.tiny_models import write_random_model

__all__ = ["write_tiny_encoder"]


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
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    texts = list(texts)
    if not any(text.strip() for text in texts):
        raise UsageError("There are no texts to train a tokenizer on.")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
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
