"""Counts word pieces, where the folder of an encoder is given: peers cut long utterances and dialogues silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue
from iemomecp_dataset.errors import MissingModelError, require_packages
from iemomecp_dataset.files import read_json

__all__ = ["NOT_COUNTED", "count_word_pieces"]

NOT_COUNTED = "word pieces were not counted: give --bert FOLDER, the encoder that the clone will use, to count them"


def count_word_pieces(
    folder: Path,
    dialogues: Mapping[str, Sequence[PeerDialogue]],
    counts: Mapping[str, Counter[str]],
    *,
    of_utterance: int | None = None,
    of_dialogue: int = 512,
) -> None:
    """Counts what is longer than a peer reads.

    Args:
        folder: Folder of the encoder with its tokenizer.
        dialogues: The dialogues by split.
        counts: Receives, by split, the utterances of more than ``of_utterance`` word pieces, and the dialogues of more
            than ``of_dialogue`` (each utterance cut at ``of_utterance``). Special tokens are not counted.
        of_utterance: Word pieces at which an utterance is cut, where the peer does so.
        of_dialogue: Word pieces that a dialogue may have.

    Raises:
        MissingDependencyError: tokenizers is not installed.
        MissingModelError: The folder has no vocabulary of word pieces.
        InvalidDataError: Its tokenizer_config.json is not valid.
    """
    tokenizer = _tokenizer(folder)
    for split, of_split in dialogues.items():
        texts = [utterance.text for dialogue in of_split for utterance in dialogue.utterances]
        sizes = iter([len(encoded.ids) for encoded in tokenizer.encode_batch(texts, add_special_tokens=False)])
        for dialogue in of_split:
            own = [next(sizes) for _ in dialogue.utterances]
            if of_utterance is not None:
                counts[split][f"utterances of more than {of_utterance} word pieces"] += sum(
                    size > of_utterance for size in own
                )
                own = [min(size, of_utterance) for size in own]
            counts[split][f"dialogues of more than {of_dialogue} word pieces"] += sum(own) > of_dialogue


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a BERT-like encoder; both peers read vocab.txt. Without transformers, which imports torch."""
    require_packages("tokenizers", extra="train")
    from tokenizers import BertWordPieceTokenizer

    vocabulary, settings = folder / "vocab.txt", folder / "tokenizer_config.json"
    if not vocabulary.is_file():
        raise MissingModelError(
            f"{folder} (--bert) has no vocab.txt. Give the folder of the BERT-like encoder that the clone will use, "
            "with its vocabulary of word pieces."
        )
    stated = read_json(settings) if settings.is_file() else {}
    lowercase = stated.get("do_lower_case", True) if isinstance(stated, dict) else True
    return BertWordPieceTokenizer(str(vocabulary), lowercase=bool(lowercase))
