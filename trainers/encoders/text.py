"""Text encoders: loading, token ids of distinct texts, length-bucketed chunks of them, and frozen features."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.features.encoders.model_loading import load_model, load_pretrained
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.files.locks import locked_file
from iemomecp_dataset.trainers.encoders.context import TextInContext, sequence_of, token_frame
from iemomecp_dataset.trainers.encoders.pooling import pool_layers, pool_spans
from iemomecp_dataset.trainers.sharing.fetching import fetched_model
from iemomecp_dataset.trainers.whole_model import check_numbers

__all__ = [
    "TextEncoder",
    "TokenizedTexts",
    "check_tokenizer",
    "chunk_tokens_on",
    "encode_texts",
    "encoded_chunks",
    "length_chunks",
    "load_saved_tokenizer",
    "load_text_encoder",
    "load_tokenizer",
    "pooled_chunks",
    "rows_of",
    "text_width",
    "tokenize_texts",
    "tokenize_texts_in_context",
]

_logger = logging.getLogger(__name__)

_DIGEST = "sha256"
"""Entry of a cache file's metadata: the digest of its features."""

_WAIT = 0.2
"""Seconds between two looks at features that another process computes."""


@dataclass(frozen=True)
class TextEncoder:
    """A pretrained encoder with its tokenizer.

    Attributes:
        name: Name or path it was loaded from.
        model: The ``AutoModel``.
        tokenizer: The fast tokenizer.
    """

    name: str
    model: Any
    tokenizer: Any

    @property
    def num_layers(self) -> int:
        """Transformer layers, the embedding layer not counted."""
        return int(self.model.config.num_hidden_layers)

    @property
    def width(self) -> int:
        """Width of one layer."""
        return int(self.model.config.hidden_size)


EncodedText = str | TextInContext
"""A text alone, or one among the turns that are encoded with it."""


@dataclass(frozen=True)
class TokenizedTexts:
    """Distinct texts as token ids.

    Attributes:
        ids: Token ids by text, or by the turns of a sequence.
        pad_id: The padding token.
        truncated: The texts that were longer than allowed and were cut.
        spans: Of each text in context its first token in the sequence of its turns, and the one behind its last; empty
            where texts are encoded alone.
        alone: Whether each text in context is encoded alone, too, and has both vectors side by side.
    """

    ids: dict[Any, NDArray[np.int64]]
    pad_id: int
    truncated: frozenset[EncodedText]
    spans: dict[TextInContext, tuple[int, int]] = field(default_factory=dict)
    alone: bool = False

    @property
    def texts(self) -> list[EncodedText]:
        """The distinct texts."""
        return list(self.spans) if self.spans else list(self.ids)

    def cost(self, texts: Sequence[EncodedText]) -> int:
        """Tokens that are encoded for some texts."""
        if not self.spans:
            return sum(len(self.ids[text]) for text in texts)
        return sum(len(self.ids[turns]) for turns in {one.turns for text in texts for one in self._parts(text)})

    def chunks(
        self, texts: Sequence[EncodedText], max_tokens_per_chunk: int
    ) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor]:
        """Packs the sequences of some texts into chunks, as :func:`length_chunks` does.

        Args:
            texts: ``U`` texts.
            max_tokens_per_chunk: Padded tokens a chunk may have.

        Returns:
            The chunks; and ``(U,)`` int, the row of each text among the rows of all chunks. With texts in context a
            chunk also has ``pooled`` ``(u, s, T)``, true for the tokens of each of at most ``s`` texts of a sequence,
            and rows are those of its ``u * s`` texts: ``(U, 2)`` where each is encoded alone, too.
        """
        if not self.spans:
            return length_chunks([self.ids[text] for text in texts], self.pad_id, max_tokens_per_chunk)
        slots: dict[tuple[str, ...], dict[TextInContext, int]] = {}
        parts = [self._parts(text) for text in texts]
        for one in (one for of_text in parts for one in of_text):
            of_sequence = slots.setdefault(one.turns, {})
            of_sequence.setdefault(one, len(of_sequence))
        sequences = list(slots)
        chunks, order = length_chunks([self.ids[turns] for turns in sequences], self.pad_id, max_tokens_per_chunk)
        most = max(map(len, slots.values()))
        by_row = sorted(range(len(sequences)), key=lambda i: int(order[i]))
        done = 0
        for chunk in chunks:
            rows, width = chunk["input_ids"].shape
            pooled = np.zeros((rows, most, width), dtype=bool)
            for row, i in enumerate(by_row[done : done + rows]):
                for one, slot in slots[sequences[i]].items():
                    pooled[row, slot, slice(*self._span(one))] = True
            chunk["pooled"] = torch.from_numpy(pooled)
            done += rows
        row_of = {turns: int(row) for turns, row in zip(sequences, order.tolist(), strict=True)}
        places = torch.tensor(
            [[row_of[one.turns] * most + slots[one.turns][one] for one in of_text] for of_text in parts],
            dtype=torch.long,
        )
        return chunks, places if self.alone else places.squeeze(1)

    def _parts(self, text: EncodedText) -> list[TextInContext]:
        """What is encoded of a text in context: it, and where that is asked for, it alone."""
        assert isinstance(text, TextInContext)
        return [text, _alone(text)] if self.alone else [text]

    def _span(self, text: TextInContext) -> tuple[int, int]:
        """Its tokens; a text that is encoded alone beside others is pooled over all tokens, as without context."""
        return (0, len(self.ids[text.turns])) if text.place == _ALONE else self.spans[text]


_ALONE = -1
"""Place of a text that is alone, but is not its own context."""


def _alone(text: TextInContext) -> TextInContext:
    return TextInContext((text.turns[text.place],), _ALONE)


def load_text_encoder(name: str) -> TextEncoder:
    """Loads an encoder and its tokenizer.

    Args:
        name: A folder, or a model name on the Hugging Face Hub.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
    """
    tokenizer = load_tokenizer(name)
    # Scorers pool layers or train the pooler with the encoder: one without pretrained weights is nothing to warn of.
    model = load_model(name, None, "text encoder", option="--text_encoder", unused=("pooler.",))
    return TextEncoder(name, model, tokenizer)


def load_tokenizer(name: str, config: Any = None) -> Any:
    """Loads an encoder's tokenizer alone.

    Args:
        name: A folder, or a model name on the Hugging Face Hub.
        config: Configuration of the encoder; by default the one in the folder.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
    """
    from transformers import AutoTokenizer

    load = partial(AutoTokenizer.from_pretrained, use_fast=True, config=config)
    return load_pretrained(load, name, None, "text encoder", option="--text_encoder")


def load_saved_tokenizer(model: Any) -> Any:
    """Loads the tokenizer that was saved with a scorer, or else that of the encoder it was built on.

    Args:
        model: A scorer from ``from_pretrained``, whose folder or name on the Hub is its ``name_or_path``.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
        InvalidDataError: It is that of another encoder.
    """
    from transformers import AutoConfig

    saved = fetched_model(model.name_or_path, revision=getattr(model.config, "_commit_hash", None))
    if not (saved / "tokenizer_config.json").is_file():
        return load_tokenizer(model.config.text_encoder_name)
    # The configuration in this folder is the scorer's, which says nothing about tokenizers.
    tokenizer = load_tokenizer(str(saved), AutoConfig.for_model(**model.config.text_encoder))
    check_tokenizer(tokenizer, model.text_encoder, str(saved))
    return tokenizer


def check_tokenizer(tokenizer: Any, encoder: Any, where: str) -> None:
    """Refuses a tokenizer that has tokens beyond an encoder's: it is that of another model.

    Args:
        tokenizer: The tokenizer.
        encoder: The encoder.
        where: Folder of the model, for the error.

    Raises:
        InvalidDataError: It has.
    """
    rows = getattr(encoder.get_input_embeddings(), "num_embeddings", None)
    largest = max(tokenizer.get_vocab().values(), default=0)
    if rows is not None and largest >= rows:
        raise InvalidDataError(
            f"{where}: its tokenizer has {largest + 1} tokens, but its text encoder (config.json, text_encoder: "
            f"vocab_size) knows {rows}, so that it is the tokenizer of another model. Copy the folder again."
        )


def tokenize_texts(texts: Iterable[str], tokenizer: Any, max_tokens: int) -> TokenizedTexts:
    """Tokenises each distinct text once.

    Args:
        texts: Texts, repeated ones allowed.
        tokenizer: A fast tokenizer.
        max_tokens: Tokens a text may have, special ones included; longer texts are cut and listed.
    """
    distinct = sorted(set(texts))
    limit = min(max_tokens, int(tokenizer.model_max_length))
    if not distinct:
        return TokenizedTexts({}, tokenizer.pad_token_id or 0, frozenset())
    full = dict(zip(distinct, tokenizer(distinct, truncation=False, verbose=False)["input_ids"], strict=True))
    truncated = [text for text, ids in full.items() if len(ids) > limit]
    if truncated:
        cut = tokenizer(truncated, truncation=True, max_length=limit)["input_ids"]
        full |= dict(zip(truncated, cut, strict=True))
    return TokenizedTexts(
        ids={text: np.asarray(ids, dtype=np.int64) for text, ids in full.items()},
        pad_id=tokenizer.pad_token_id or 0,
        truncated=frozenset(truncated),
    )


def tokenize_texts_in_context(
    texts: Iterable[TextInContext], tokenizer: Any, max_tokens: int, *, alone: bool = False
) -> TokenizedTexts:
    """Tokenises each distinct sequence once.

    Args:
        texts: Texts in context, whose sequences fit but for single turns that are too long alone.
        tokenizer: A fast tokenizer.
        max_tokens: Tokens of a sequence, special ones included; a longer turn is cut and listed.
        alone: Whether each text is encoded alone, too.
    """
    distinct = sorted(set(texts))
    frame = token_frame(tokenizer)
    room = min(max_tokens, int(tokenizer.model_max_length)) - len(frame.begin) - len(frame.end)
    turns = sorted({turn for text in distinct for turn in text.turns})
    found = tokenizer(turns, add_special_tokens=False, verbose=False)["input_ids"] if turns else []
    tokens = {turn: np.asarray(ids, dtype=np.int64) for turn, ids in zip(turns, found, strict=True)}
    sequences = {
        sequence: sequence_of([tokens[turn][: max(0, room)] for turn in sequence], frame)
        for sequence in dict.fromkeys(
            one.turns for text in distinct for one in ([text, _alone(text)] if alone else [text])
        )
    }
    return TokenizedTexts(
        ids={sequence: ids for sequence, (ids, _) in sequences.items()},
        pad_id=tokenizer.pad_token_id or 0,
        truncated=frozenset(text for text in distinct if len(tokens[text.turns[text.place]]) > room),
        spans={text: sequences[text.turns][1][text.place] for text in distinct},
        alone=alone,
    )


def chunk_tokens_on(device: torch.device) -> int:
    """Padded tokens of a chunk that is encoded at once.

    Small on a CPU, where such a chunk stays in the cache and has the least padding; large on an accelerator.

    Example:
        >>> chunk_tokens_on(torch.device("cpu")), chunk_tokens_on(torch.device("cuda"))
        (512, 4096)
    """
    return 512 if device.type == "cpu" else 4096


def length_chunks(
    sequences: Sequence[NDArray[np.int64]], pad_id: int, max_tokens_per_chunk: int
) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor]:
    """Packs token sequences into length-bucketed chunks under a token budget, so that little of the work is padding.

    Args:
        sequences: Token ids, one array per text.
        pad_id: The padding token.
        max_tokens_per_chunk: Padded tokens a chunk may have; a single longer text makes a chunk of its own.

    Returns:
        The chunks, with ``input_ids`` and ``attention_mask`` ``(u, T)``; and ``(U,)`` int, the row of each text among
        the rows of all chunks.

    Example:
        >>> chunks, order = length_chunks([np.array([5, 6, 7]), np.array([8])], pad_id=0, max_tokens_per_chunk=3)
        >>> [chunk["input_ids"].tolist() for chunk in chunks], order.tolist()
        ([[[8]], [[5, 6, 7]]], [1, 0])
    """
    by_length = sorted(range(len(sequences)), key=lambda i: (len(sequences[i]), i))
    groups: list[list[int]] = []
    for i in by_length:
        if groups and (len(groups[-1]) + 1) * len(sequences[i]) <= max_tokens_per_chunk:
            groups[-1].append(i)
        else:
            groups.append([i])
    chunks = []
    for group in groups:
        width = len(sequences[group[-1]])
        ids = np.full((len(group), width), pad_id, dtype=np.int64)
        attention = np.zeros((len(group), width), dtype=np.int64)
        for row, i in enumerate(group):
            ids[row, : len(sequences[i])] = sequences[i]
            attention[row, : len(sequences[i])] = 1
        chunks.append({"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(attention)})
    order = torch.empty(len(sequences), dtype=torch.long)
    order[torch.tensor(by_length, dtype=torch.long)] = torch.arange(len(sequences))
    return chunks, order


def encode_texts(
    tokens: TokenizedTexts,
    encoder: TextEncoder,
    layers: Sequence[int],
    *,
    device: torch.device,
    cache_dir: Path | None = None,
    progress: bool = True,
) -> dict[EncodedText, NDArray[np.float32]]:
    """Computes frozen features of all texts: mean-pooled layers, concatenated.

    Args:
        tokens: The texts.
        encoder: The encoder; it is put in evaluation mode.
        layers: Encoder layers to pool.
        device: Device to compute on.
        cache_dir: Folder that keeps features between runs; the key covers the encoder's weights, layers and texts. A
            damaged file there is said and computed again; a folder that cannot be written to is said. Runs that need
            the same features at once wait for the first of them.
        progress: Show a progress bar.

    Returns:
        ``(text_width(...),)`` float32 by text.

    Raises:
        InvalidDataError: The encoder computes NaN or infinite numbers.
    """
    texts = tokens.texts
    if cache_dir is None:
        return dict(zip(texts, _encoded(tokens, encoder, layers, device, progress=progress), strict=True))
    path = cache_dir / f"text-{_features_key(tokens, encoder, layers)}.safetensors"
    shape = (len(texts), text_width(encoder, layers, alone=tokens.alone))
    was_there = path.exists()
    features = _cached_features(path, shape) if was_there else None
    if features is None:
        with _one_at_a_time(path) as waited:
            # A damaged file is looked at again only where another process may have replaced it.
            again = (waited or not was_there) and path.exists()
            features = _cached_features(path, shape) if again else None
            if features is None:
                features = _encoded(tokens, encoder, layers, device, progress=progress)
                _cache_features(path, features)
    return dict(zip(texts, features, strict=True))


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[bool]:
    """Waits while another process computes the same features, which is shorter than to compute them beside it.

    Yields:
        Whether it has waited.
    """
    waited = False
    lock = path.with_suffix(".lock")
    with contextlib.ExitStack() as held:
        while True:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                locked = held.enter_context(locked_file(lock))
            except OSError:  # a folder that cannot be written to is said where the features are
                break
            if locked is not False:
                break
            held.close()
            waited = True
            time.sleep(_WAIT)
        try:
            yield waited
        finally:
            # Whoever has the removed file open finds the features that are there by now.
            with contextlib.suppress(OSError):
                lock.unlink(missing_ok=True)


def _encoded(
    tokens: TokenizedTexts,
    encoder: TextEncoder,
    layers: Sequence[int],
    device: torch.device,
    *,
    progress: bool,
) -> NDArray[np.float32]:
    """Computes the features of all texts, in their order."""
    from tqdm.auto import tqdm

    chunks, order = tokens.chunks(tokens.texts, chunk_tokens_on(device))
    # To move a model walks all of its parameters, which takes longer than a short text.
    model = (encoder.model if encoder.model.device == device else encoder.model.to(device)).eval()
    pooled = []
    with (
        torch.inference_mode(),
        tqdm(total=len(tokens.ids), desc="Encoding texts", unit="text", disable=not progress) as bar,
    ):
        for chunk in chunks:
            chunk = {name: tensor.to(device) for name, tensor in chunk.items()}
            states = model(**_encoder_inputs(chunk), output_hidden_states=True).hidden_states
            pooled.append(_pooled(states, chunk, layers).float().cpu())
            bar.update(len(chunk["input_ids"]))
    features: NDArray[np.float32] = _gathered(pooled, order).numpy()
    if not np.isfinite(features).all():
        check_numbers(encoder.model.state_dict(), encoder.name)
        raise InvalidDataError(
            f"The text encoder {encoder.name} computes NaN or infinite numbers of some texts, although its weights are "
            "finite. Give another --text_encoder, or other --text_layers."
        )
    return features


def _cached_features(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Reads a file of the cache; None, which is said, where it is not what was written."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            digest = (file.metadata() or {}).get(_DIGEST)
            features: NDArray[np.float32] = file.get_tensor("features")
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        reason = f"it cannot be read ({' '.join(str(error).split())[:120]})"
    else:
        if digest is None:
            _logger.warning(
                "Frozen text features: %s was written by an earlier version, without a digest; they are computed "
                "again.",
                path,
            )
            return None
        if features.shape == shape and features.dtype == np.float32 and digest == _features_digest(features):
            return features
        reason = "its content has another digest than it states"
    _logger.warning("Frozen text features in the cache are computed again: %s, %s.", path, reason)
    return None


def _cache_features(path: Path, features: NDArray[np.float32]) -> None:
    """Writes a file of the cache, with a digest; what cannot be written is said."""
    from safetensors.numpy import save_file

    whole = np.ascontiguousarray(features)
    try:
        with atomic_write(path) as partial:
            save_file({"features": whole}, partial, metadata={_DIGEST: _features_digest(whole)})
    except (UsageError, SafetensorError) as error:
        _logger.warning("warning: the features of texts are not kept for the next run: %s (--cache_dir)", error)


def _features_digest(features: NDArray[np.float32]) -> str:
    return hashlib.sha256(features.tobytes()).hexdigest()


def encoded_chunks(encoder: nn.Module, chunks: Sequence[Mapping[str, Tensor]], **options: Any) -> Iterator[Any]:
    """Encodes chunks one after the other, after one look-up of all their token embeddings.

    The gradient of an embedding matrix is as large as the matrix; with a look-up per chunk it would be built and added
    once for each.

    Args:
        encoder: A transformers encoder.
        chunks: Each with ``input_ids`` and ``attention_mask`` ``(u, T)``, padded on the right.
        options: Passed on to the encoder.

    Yields:
        The encoder's output for each chunk.
    """
    if len(chunks) == 1 or "inputs_embeds" not in inspect.signature(encoder.forward).parameters:
        for chunk in chunks:
            yield encoder(**chunk, **options)
        return
    ids = torch.cat([chunk["input_ids"].flatten() for chunk in chunks])
    embedded = encoder.get_input_embeddings()(ids).split([chunk["input_ids"].numel() for chunk in chunks])  # type: ignore[operator]
    for chunk, vectors in zip(chunks, embedded, strict=True):
        mask = chunk["attention_mask"]
        yield encoder(inputs_embeds=vectors.view(*mask.shape, -1), attention_mask=mask, **options)


def pooled_chunks(
    encoder: nn.Module, chunks: Sequence[Mapping[str, Tensor]], order: Tensor, layers: Sequence[int]
) -> Tensor:
    """Encodes chunks and mean-pools layers, with gradients.

    Args:
        encoder: A transformers encoder.
        chunks: Each with ``input_ids`` and ``attention_mask`` ``(u, T)``; and ``pooled`` ``(u, s, T)`` for texts in
            context.
        order: ``(U,)`` or ``(U, 2)`` int, the rows of each text among the rows of all chunks; see
            :meth:`TokenizedTexts.chunks`.
        layers: Encoder layers to pool.

    Returns:
        ``(U, D)``; see :func:`text_width`.
    """
    encoded = encoded_chunks(encoder, [_encoder_inputs(chunk) for chunk in chunks], output_hidden_states=True)
    pooled = [_pooled(states.hidden_states, chunk, layers) for states, chunk in zip(encoded, chunks, strict=True)]
    return _gathered(pooled, order)


def text_width(encoder: TextEncoder, layers: Sequence[int], *, alone: bool = False) -> int:
    """Width of the vector of a text.

    Args:
        encoder: The encoder.
        layers: Encoder layers that are pooled.
        alone: Whether a text in context has a vector of itself alone, too.
    """
    return encoder.width * len(layers) * (2 if alone else 1)


def _gathered(pooled: Sequence[Tensor], order: Tensor) -> Tensor:
    """The vector of each text, or its two vectors side by side."""
    vectors = torch.cat(list(pooled))[order]
    return vectors if order.ndim == 1 else vectors.flatten(1)


def rows_of(chunk: Mapping[str, Tensor]) -> int:
    """Vectors that a chunk gives."""
    return chunk["pooled"].shape[:2].numel() if "pooled" in chunk else len(chunk["input_ids"])


def _encoder_inputs(chunk: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in chunk.items() if name != "pooled"}


def _pooled(states: Sequence[Tensor], chunk: Mapping[str, Tensor], layers: Sequence[int]) -> Tensor:
    """A vector for each row of a chunk, or for each of the texts of its sequences."""
    if "pooled" in chunk:
        return pool_spans(states, chunk["pooled"], layers)
    return pool_layers(states, chunk["attention_mask"], layers)


def _features_key(tokens: TokenizedTexts, encoder: TextEncoder, layers: Sequence[int]) -> str:
    digest = hashlib.sha256(
        json.dumps(["mean", list(layers), encoder.model.config.to_diff_dict()], default=str).encode()
    )
    for name, tensor in sorted(encoder.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    for text, ids in tokens.ids.items():
        digest.update(json.dumps(text).encode())
        digest.update(ids.tobytes())
    for text, span in tokens.spans.items():
        digest.update(json.dumps([text, span, tokens.alone]).encode())
    return digest.hexdigest()[:24]
