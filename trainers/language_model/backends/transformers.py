"""A causal language model in this process, through transformers; grammars of xgrammar enforce the form of answers."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.trainers.explanation.language_model import (
    language_model_revision,
    load_language_model,
    load_language_tokenizer,
)
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, OnAnswer
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.schemas import Schema

__all__ = ["LocalModel"]


@dataclass(frozen=True)
class _Encoded:
    """A request as tokens, and how many shots were left out so that it fits."""

    ids: tuple[int, ...]
    left_out: int


class LocalModel:
    """Greedy answers of a model, in left-padded batches of similar length.

    Args:
        name: A folder, or a name on the Hub.
        gguf_file: File in it that holds a model in GGUF.
        revision: Commit, branch or tag, or None.
        dtype: Type of the weights.
        device: Device to compute on.
        batch_size: Requests that are answered together.
        structured: Whether grammars enforce the schemas.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: The package ``xgrammar`` is missing.
        UsageError: The model is an encoder-decoder, or has no chat template.
    """

    def __init__(
        self,
        name: str,
        *,
        gguf_file: str | None = None,
        revision: str | None = None,
        dtype: str = "float32",
        device: torch.device | str = "cpu",
        batch_size: int = 8,
        structured: bool = True,
    ):
        if structured:
            require_packages("xgrammar", extra="llm")
        self._tokenizer = load_language_tokenizer(name, gguf_file=gguf_file, revision=revision)
        self._model = load_language_model(name, gguf_file=gguf_file, revision=revision, dtype=dtype).eval().to(device)
        if self._model.config.is_encoder_decoder:
            raise UsageError(f"{name} is an encoder-decoder; --backend transformers takes causal models.")
        if not getattr(self._tokenizer, "chat_template", None):
            raise UsageError(f"The tokenizer of {name} has no chat template. Choose a model that was tuned to chat.")
        self._revision = language_model_revision(name, self._model.config, gguf_file)
        self._name = name
        self._dtype, self._batch_size, self._structured = dtype, batch_size, structured
        self._longest = getattr(self._model.config, "max_position_embeddings", None)
        self._ends = _end_ids(self._model, self._tokenizer)
        pad = self._tokenizer.pad_token_id
        self._pad = int(pad if pad is not None else self._ends[0])
        self._grammars: dict[str, Any] = {}
        self._compiler: Any = None
        self._past: tuple[tuple[int, ...], Any] | None = None

    @property
    def identity(self) -> Mapping[str, str]:
        """The weights, whatever their folder is called."""
        by_content = self._revision.startswith("folder-")
        return {
            "backend": "transformers",
            "model": self._revision if by_content else self._name,
            "revision": self._revision,
            "dtype": self._dtype,
        }

    @property
    def sampling(self) -> Mapping[str, Any]:
        """Greedy."""
        return {"temperature": 0.0, "structured": self._structured}

    @property
    def notes(self) -> Sequence[str]:
        """Nothing to say."""
        return ()

    @property
    def repeats(self) -> bool:
        """It is greedy."""
        return True

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Answers requests, the longest first, and those with letters apart from those with texts."""
        encoded = [self._encoded(request) for request in requests]
        # Letters about one dialogue are read together, since they share its tokens; texts in the order of their length.
        dialogues = {name: number for number, name in enumerate(dict.fromkeys(map(_dialogue, requests)))}

        def alike(i: int) -> tuple[int, int]:
            return (requests[i].most_tokens, dialogues[_dialogue(requests[i])] if requests[i].labels else -1)

        order = sorted(
            (number for number, one in enumerate(encoded) if one is not None),
            key=lambda i: (*alike(i), -len(_ids(encoded[i])), i),
        )
        of_dialogue: dict[tuple[str, str], list[tuple[int, ...]]] = {}
        for request, one in zip(requests, encoded, strict=True):
            if one is not None and request.labels:
                of_dialogue.setdefault(_dialogue(request), []).append(one.ids)
        lengths = {name: _shared_length(found) for name, found in of_dialogue.items()}
        for number, one in enumerate(encoded):
            if one is None:
                on_answer(
                    number,
                    Failure("longer than the model reads", f"{requests[number].name}: over {self._longest} tokens"),
                )
        for batch in _batches(order, self._batch_size, alike):
            of_batch = [requests[i] for i in batch]
            tokens = [encoded[i] for i in batch]
            begun = time.monotonic()
            ids = [_ids(one) for one in tokens]
            shared = lengths.get(_dialogue(of_batch[0]), 0)
            answers = self._letters(of_batch, ids, shared) if of_batch[0].labels else self._texts(of_batch, ids)
            seconds = (time.monotonic() - begun) / len(batch)
            for i, one, found in zip(batch, tokens, answers, strict=True):
                left_out = 0 if one is None else one.left_out
                on_answer(i, replace(found, latency=seconds, served=self._revision, left_out=left_out))

    def _encoded(self, request: Request) -> _Encoded | None:
        left_out = 0
        while True:
            ids = self._chat(request.messages)
            if self._longest is None or len(ids) + request.most_tokens <= self._longest:
                return _Encoded(tuple(ids), left_out)
            if not request.examples:
                return None
            # The first one is the least similar.
            request = replace(request, examples=request.examples[1:])
            left_out += 1

    def _chat(self, messages: list[dict[str, str]]) -> list[int]:
        from jinja2 import TemplateError

        try:
            return self._template(messages)
        except TemplateError:
            # Some templates have no system message; then it begins the first question.
            first, second, *rest = messages
            return self._template([{**second, "content": f"{first['content']}\n\n{second['content']}"}, *rest])

    def _template(self, messages: list[dict[str, str]]) -> list[int]:
        text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _padded(self, tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, tokens))
        ids = torch.full((len(tokens), longest), self._pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(tokens):
            ids[row, longest - len(one) :] = torch.tensor(one)
            mask[row, longest - len(one) :] = 1
        return ids.to(self._model.device), mask.to(self._model.device)

    def _letters(self, requests: Sequence[Request], tokens: Sequence[Sequence[int]], shared: int) -> list[Answer]:
        """Log-probabilities of the letters right after the request."""
        label_ids = self._label_ids(requests[0].labels)
        with torch.inference_mode():
            scores = self._next_scores(tokens, shared)
        answers = []
        for row, request in enumerate(requests):
            values = scores[row, label_ids].tolist()
            best = request.labels[max(range(len(values)), key=lambda place: values[place])]
            answers.append(
                Answer(
                    text=best,
                    first_tokens=dict(zip(request.labels, values, strict=True)),
                    prompt_tokens=len(tokens[row]),
                    completion_tokens=1,
                )
            )
        return answers

    def _next_scores(self, tokens: Sequence[Sequence[int]], shared: int) -> Tensor:
        """Log-probabilities ``(B, V)`` of the token after each request.

        The ``shared`` tokens that all requests about a dialogue begin with are computed once, where the model's cache
        can be extended. What follows is padded at its end, where no earlier position sees it.
        """
        past = self._past_of(tuple(tokens[0][:shared]))
        if past is None:
            ids, mask = self._padded(tokens)
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            output = self._model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=1)
            padded: Tensor = output.logits[:, -1]
            return padded.float().log_softmax(dim=-1)
        rest = [one[shared:] for one in tokens]
        longest = max(map(len, rest))
        ids = torch.full((len(rest), longest), self._pad, dtype=torch.long)
        for row, one in enumerate(rest):
            ids[row, : len(one)] = torch.tensor(one)
        past = copy.deepcopy(past)
        past.batch_repeat_interleave(len(rest))
        logits: Tensor = self._model(input_ids=ids.to(self._model.device), past_key_values=past).logits
        last = torch.tensor([len(one) - 1 for one in rest], device=logits.device)
        return logits[torch.arange(len(rest), device=logits.device), last].float().log_softmax(dim=-1)

    def _past_of(self, prefix: tuple[int, ...]) -> Any:
        """The model's cache of a prefix; None where it has none that can be extended."""
        if not prefix:
            return None
        if self._past is None or self._past[0] != prefix:
            ids = torch.tensor([prefix], device=self._model.device)
            past = self._model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
            layers = getattr(past, "layers", [])
            # Caches that forget earlier tokens, or hold no keys and values, are not extended.
            plain = bool(layers) and all(type(layer).__name__ == "DynamicLayer" for layer in layers)
            self._past = (prefix, past if plain else None)
        return self._past[1]

    def _label_ids(self, labels: Sequence[str]) -> list[int]:
        """The token of each letter.

        Raises:
            UsageError: A letter is more than one token, or two begin alike.
        """
        found = [self._tokenizer(label, add_special_tokens=False)["input_ids"] for label in labels]
        unknown = self._tokenizer.unk_token_id
        firsts = [ids[0] if ids else None for ids in found]
        if any(len(ids) != 1 for ids in found) or len(set(firsts)) < len(labels) or unknown in firsts:
            shown = ", ".join(
                f"{label} {self._tokenizer.convert_ids_to_tokens(ids)}"
                for label, ids in zip(labels, found, strict=True)
            )
            raise UsageError(
                f"--ask pair needs letters that are single, distinct tokens; the tokenizer of {self._name} makes of "
                f"them {shown}. Ask with --ask dialogue or target."
            )
        return [ids[0] for ids in found]

    def _texts(self, requests: Sequence[Request], tokens: Sequence[Sequence[int]]) -> list[Answer]:
        ids, mask = self._padded(tokens)
        processors = []
        if self._structured:
            from xgrammar.contrib.hf import LogitsProcessor

            processors = [LogitsProcessor([self._grammar(request.schema) for request in requests])]
        with torch.inference_mode():
            written = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=requests[0].most_tokens,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=list(self._ends),
                pad_token_id=self._pad,
                logits_processor=processors,
            )
        answers = []
        for row, request in enumerate(requests):
            new = written[row, ids.shape[1] :].tolist()
            end = next((place for place, token in enumerate(new) if token in self._ends), None)
            kept = new if end is None else new[:end]
            answers.append(
                Answer(
                    text=self._tokenizer.decode(kept, skip_special_tokens=True),
                    finish_reason="length" if end is None else "stop",
                    prompt_tokens=len(tokens[row]),
                    completion_tokens=len(kept),
                    structure="grammar" if self._structured and request.schema is not None else "none",
                )
            )
        return answers

    def _grammar(self, schema: Schema | None) -> Any:
        import xgrammar

        if self._compiler is None:
            info = xgrammar.TokenizerInfo.from_huggingface(
                self._tokenizer, vocab_size=self._model.config.vocab_size, stop_token_ids=list(self._ends)
            )
            self._compiler = xgrammar.GrammarCompiler(info)
        text = json.dumps(schema)
        if text not in self._grammars:
            # Unbounded white space, the default, would use up the tokens.
            self._grammars[text] = self._compiler.compile_json_schema(text, any_whitespace=False)
        return self._grammars[text]


def _ids(encoded: _Encoded | None) -> tuple[int, ...]:
    return () if encoded is None else encoded.ids


def _dialogue(request: Request) -> tuple[str, str]:
    return request.split, request.dialogue_id


def _shared_length(tokens: Sequence[Sequence[int]]) -> int:
    """Number of tokens that all begin with; each has at least one more.

    Example:
        >>> _shared_length([(1, 2, 3), (1, 2, 4, 5)]), _shared_length([(1, 2), (1, 2)])
        (2, 1)
    """
    shortest = min(map(len, tokens)) - 1
    return next((place for place in range(shortest) if len({one[place] for one in tokens}) > 1), shortest)


def _batches(order: Sequence[int], size: int, alike: Any) -> list[list[int]]:
    """Consecutive positions in batches, of which all are alike."""
    batches: list[list[int]] = []
    for position in order:
        if not batches or len(batches[-1]) == size or alike(batches[-1][0]) != alike(position):
            batches.append([])
        batches[-1].append(position)
    return batches


def _end_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Tokens that end an answer: those of the model's generation, its configuration and its tokenizer."""
    found: dict[int, None] = {}
    for value in (model.generation_config.eos_token_id, tokenizer.eos_token_id, model.config.eos_token_id):
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                found[int(one)] = None
    if not found:
        raise UsageError("The language model states no token that ends a text (eos_token_id). Choose another.")
    return tuple(found)
