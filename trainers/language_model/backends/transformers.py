"""A causal language model in this process, through transformers; grammars of xgrammar enforce the form of answers."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import Tensor
from transformers import GenerationConfig

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


_AGREES = {torch.float32: 1e-5}
"""Most by which probabilities may differ between shared and separate computation, where nothing but rounding does."""
_AGREES_ROUNDED = 0.05


@dataclass(frozen=True)
class _Encoded:
    """A request as tokens, and how many shots were left out so that it fits."""

    request: Request
    ids: tuple[int, ...]
    left_out: int


class LocalModel:
    """Greedy answers of a model, in left-padded batches of similar length.

    Args:
        name: A folder, or a name on the Hub.
        gguf_file: File in it that holds a model in GGUF.
        revision: Commit, branch or tag, or None.
        dtype: Type of the weights; ``auto``: bfloat16 on a GPU that computes with it, else float32.
        device: Device to compute on.
        batch_size: Requests that are answered together; fewer where memory does not suffice, which is noted.
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
        dtype: str = "auto",
        device: torch.device | str = "cpu",
        batch_size: int = 8,
        structured: bool = True,
    ):
        if structured:
            require_packages("xgrammar", extra="llm")
        self._tokenizer = load_language_tokenizer(name, gguf_file=gguf_file, revision=revision)
        self._device = torch.device(device)
        dtype = _dtype(self._device) if dtype == "auto" else dtype
        loaded = load_language_model(name, gguf_file=gguf_file, revision=revision, dtype=dtype)
        self._model = loaded.eval().to(self._device)
        if self._model.config.is_encoder_decoder:
            raise UsageError(f"{name} is an encoder-decoder; --backend transformers takes causal models.")
        if not getattr(self._tokenizer, "chat_template", None):
            raise UsageError(f"The tokenizer of {name} has no chat template. Choose a model that was tuned to chat.")
        self._revision = language_model_revision(name, self._model.config, gguf_file)
        self._name = name
        self._dtype, self._batch_size, self._structured = dtype, batch_size, structured
        self._text_config = self._model.config.get_text_config()
        self._longest = getattr(self._text_config, "max_position_embeddings", None)
        self._ends = _end_ids(self._model, self._tokenizer)
        pad = self._tokenizer.pad_token_id
        self._pad = int(pad if pad is not None else self._ends[0])
        # A model's own defaults, such as a penalty for repetition, would change what is most probable.
        self._model.generation_config = GenerationConfig(
            do_sample=False, num_beams=1, eos_token_id=list(self._ends), pad_token_id=self._pad
        )
        self._keeps = "logits_to_keep" in inspect.signature(self._model.forward).parameters
        self._grammars: dict[str, Any] = {}
        self._compiler: Any = None
        self._past: tuple[tuple[int, ...], Any] | None = None
        self._shares = True
        self._is_checked = False
        self._notes: dict[str, None] = {}

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
        """Greedy, and without thoughts before the answer, where the template leaves that open."""
        return {"temperature": 0.0, "structured": self._structured, "thinking": False}

    @property
    def notes(self) -> Sequence[str]:
        """Smaller batches, and questions that are computed apart."""
        return tuple(self._notes)

    @property
    def repeats(self) -> bool:
        """It is greedy."""
        return True

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Answers letters dialogue by dialogue, since they share its tokens; texts in the order of their length.

        A request that is longer than the model reads, or than memory holds by itself, is a failure.
        """
        texts = [number for number, request in enumerate(requests) if not request.labels]
        of_dialogue: dict[tuple[str, str], list[int]] = {}
        for number, request in enumerate(requests):
            if request.labels:
                of_dialogue.setdefault((request.split, request.dialogue_id), []).append(number)
        for numbers in (*of_dialogue.values(), texts):
            by_shots: dict[int, dict[int, _Encoded]] = {}
            for number in numbers:
                one = self._encoded(requests[number])
                if one is None:
                    message = f"{requests[number].name}: over {self._longest} tokens"
                    on_answer(number, Failure("longer than the model reads", message))
                else:
                    by_shots.setdefault(one.left_out if one.request.labels else 0, {})[number] = one
            for encoded in by_shots.values():
                self._answer_alike(encoded, on_answer)

    def _answer_alike(self, encoded: Mapping[int, _Encoded], on_answer: OnAnswer) -> None:
        """Answers requests by number, the longest first: if memory does not suffice, it is known at once."""
        left = sorted(encoded, key=lambda number: (-len(encoded[number].ids), number))
        letters = bool(encoded[left[0]].request.labels)
        shared = _shared_length([one.ids for one in encoded.values()]) if letters else 0
        while left:
            numbers = left[: self._batch_size]
            batch = [encoded[number] for number in numbers]
            begun = time.monotonic()
            answers = self._answered(batch, shared)
            if answers is None and len(batch) > 1:
                self._batch_size = len(batch) // 2
                self._notes["batches were made smaller, as memory did not suffice"] = None
                continue
            left = left[len(batch) :]
            if answers is None:
                message = f"{batch[0].request.name}: {len(batch[0].ids)} tokens on {self._device}"
                on_answer(numbers[0], Failure("out of memory", message))
                continue
            seconds = (time.monotonic() - begun) / len(batch)
            for number, one, found in zip(numbers, batch, answers, strict=True):
                on_answer(number, replace(found, latency=seconds, served=self._revision, left_out=one.left_out))

    def _answered(self, batch: Sequence[_Encoded], shared: int) -> list[Answer] | None:
        """Answers; None where memory does not suffice."""
        try:
            with torch.inference_mode():
                return self._letters(batch, shared) if batch[0].request.labels else self._texts(batch)
        except RuntimeError as error:
            if not should_reduce_batch_size(error):
                raise
        # Here nothing of the error holds tensors any more.
        self._past = None
        clear_device_cache(garbage_collection=True)
        return None

    def _encoded(self, request: Request) -> _Encoded | None:
        left_out = 0
        while True:
            ids = self._chat(request.messages)
            if self._longest is None or len(ids) + request.most_tokens <= self._longest:
                return _Encoded(request, tuple(ids), left_out)
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
        # Templates that know no thoughts do not look at enable_thinking.
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _padded(self, tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, tokens))
        ids = torch.full((len(tokens), longest), self._pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, one in enumerate(tokens):
            ids[row, longest - len(one) :] = torch.tensor(one)
            mask[row, longest - len(one) :] = 1
        return ids.to(self._device), mask.to(self._device)

    def _letters(self, batch: Sequence[_Encoded], shared: int) -> list[Answer]:
        """Log-probabilities of the letters right after the request, and the most probable token as the text."""
        labels = batch[0].request.labels
        spelled = self._label_tokens(labels)
        tokens = [one.ids for one in batch]
        scores, cached = self._next_scores(tokens, shared, [token for _, token in spelled.values()])
        values = scores[:, [token for _, token in spelled.values()]].tolist()
        answers = []
        # What the model would write: nothing holds it to the letters, and it may be none of them.
        for one, row, written in zip(batch, values, scores.argmax(dim=-1).tolist(), strict=True):
            answers.append(
                Answer(
                    text=self._tokenizer.decode([written]),
                    first_tokens=dict(zip(spelled, row, strict=True)),
                    prompt_tokens=len(one.ids),
                    cached_tokens=cached,
                    completion_tokens=1,
                )
            )
        return answers

    def _next_scores(
        self, tokens: Sequence[tuple[int, ...]], shared: int, compared: Sequence[int]
    ) -> tuple[Tensor, int]:
        """Log-probabilities ``(B, V)`` of the token after each request, and how many tokens were computed before.

        The ``shared`` tokens that all requests about a dialogue begin with are computed once, where the model's cache
        can be extended; the first time, the probabilities of the tokens ``compared`` are checked against a request
        that is computed by itself.
        """
        if not (self._shares and shared):
            return self._separate_scores(tokens), 0
        known = self._past is not None and self._past[0] == tokens[0][:shared]
        past = self._past_of(tokens[0][:shared])
        if past is None:
            self._shares = False
            return self._separate_scores(tokens), 0
        scores = self._continued_scores(past, [one[shared:] for one in tokens])
        if not self._is_checked:
            self._is_checked = True
            alone = self._separate_scores(tokens[:1])
            differ = (scores[:1].exp() - alone.exp())[:, list(compared)].abs().max().item()
            # Not "differ > ...", which a NaN would pass.
            if not differ <= _AGREES.get(self._model.dtype, _AGREES_ROUNDED):
                self._shares, self._past = False, None
                self._notes["each question is computed with its whole dialogue: this model's cache differs"] = None
                return self._separate_scores(tokens), 0
        return scores, shared if known else 0

    def _separate_scores(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        """Each request as a whole, in a left-padded batch."""
        ids, mask = self._padded(tokens)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        more = {"logits_to_keep": 1} if self._keeps else {}
        logits: Tensor = self._model(input_ids=ids, attention_mask=mask, position_ids=positions, **more).logits
        return logits[:, -1].float().log_softmax(dim=-1)

    def _continued_scores(self, past: Any, rest: Sequence[Sequence[int]]) -> Tensor:
        """What follows a prefix, padded at its end, where no earlier position sees it."""
        longest = max(map(len, rest))
        ids = torch.full((len(rest), longest), self._pad, dtype=torch.long)
        for row, one in enumerate(rest):
            ids[row, : len(one)] = torch.tensor(one)
        past = copy.deepcopy(past)
        past.batch_repeat_interleave(len(rest))
        last = torch.tensor([len(one) - 1 for one in rest], device=self._device)
        # The whole vocabulary at every position would be most of the memory.
        kept, places = torch.unique(last, return_inverse=True)
        more = {"logits_to_keep": kept} if self._keeps else {}
        logits: Tensor = self._model(input_ids=ids.to(self._device), past_key_values=past, **more).logits
        found = logits[torch.arange(len(rest), device=self._device), places if self._keeps else last]
        return found.float().log_softmax(dim=-1)

    def _past_of(self, prefix: tuple[int, ...]) -> Any:
        """The model's cache of a prefix; None where it has none that can be extended."""
        if self._past is None or self._past[0] != prefix:
            self._past = None
            ids = torch.tensor([prefix], device=self._device)
            more = {"logits_to_keep": 1} if self._keeps else {}
            past = getattr(self._model(input_ids=ids, use_cache=True, **more), "past_key_values", None)
            layers = getattr(past, "layers", [])
            # Caches that forget earlier tokens, or hold no keys and values, are not extended.
            if not layers or any(type(layer).__name__ != "DynamicLayer" for layer in layers):
                return None
            self._past = (prefix, past)
        return self._past[1]

    def _label_tokens(self, labels: Sequence[str]) -> dict[str, tuple[str, int]]:
        """The tokens of each letter, by spelling: as it stands, and after a blank, where that is a token, too.

        Returns:
            By spelling its letter and its token.

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
        vocabulary = self._tokenizer.get_vocab()
        spelled: dict[str, tuple[str, int]] = {}
        for label, ids in zip(labels, found, strict=True):
            after_blank = self._tokenizer(f" {label}", add_special_tokens=False)["input_ids"]
            others = [*(after_blank if len(after_blank) == 1 else ()), vocabulary.get(label)]
            tokens = [ids[0], *(token for token in others if token not in (None, unknown))]
            for blanks, token in enumerate(dict.fromkeys(tokens)):
                spelled[" " * blanks + label] = (label, token)
        return spelled

    def _texts(self, batch: Sequence[_Encoded]) -> list[Answer]:
        ids, mask = self._padded([one.ids for one in batch])
        processors = []
        if self._structured:
            processors = [_enforced([self._grammar(one.request.schema) for one in batch])]
        written = self._model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max(one.request.most_tokens for one in batch),
            logits_processor=processors,
        )
        answers = []
        for one, row in zip(batch, written[:, ids.shape[1] :].tolist(), strict=True):
            new = row[: one.request.most_tokens]
            end = next((place for place, token in enumerate(new) if token in self._ends), None)
            kept = new if end is None else new[:end]
            answers.append(
                Answer(
                    text=self._tokenizer.decode(kept, skip_special_tokens=True),
                    finish_reason="length" if end is None else "stop",
                    prompt_tokens=len(one.ids),
                    completion_tokens=len(kept),
                    structure="grammar" if self._structured and one.request.schema is not None else "none",
                )
            )
        return answers

    def _grammar(self, schema: Schema | None) -> Any:
        import xgrammar

        if self._compiler is None:
            info = xgrammar.TokenizerInfo.from_huggingface(
                self._tokenizer, vocab_size=self._text_config.vocab_size, stop_token_ids=list(self._ends)
            )
            self._compiler = xgrammar.GrammarCompiler(info)
        text = json.dumps(schema)
        if text not in self._grammars:
            # Unbounded white space, the default, would use up the tokens.
            self._grammars[text] = self._compiler.compile_json_schema(text, any_whitespace=False)
        return self._grammars[text]


def _dtype(device: torch.device) -> str:
    """Type of the weights where none is asked for."""
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def _enforced(grammars: list[Any]) -> Any:
    """A logits processor that allows what a grammar per row allows."""
    from xgrammar.contrib.hf import LogitsProcessor

    class OnAnyDevice(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            # On a GPU xgrammar computes with triton, which not every build of torch brings along.
            if scores.is_cuda and importlib.util.find_spec("triton") is None:
                return super().__call__(input_ids, scores.cpu()).to(scores.device)
            return super().__call__(input_ids, scores)

    return OnAnyDevice(grammars)


def _shared_length(tokens: Sequence[Sequence[int]]) -> int:
    """Number of tokens that all begin with; each has at least one more.

    Example:
        >>> _shared_length([(1, 2, 3), (1, 2, 4, 5)]), _shared_length([(1, 2), (1, 2)])
        (2, 1)
    """
    shortest = min(map(len, tokens)) - 1
    return next((place for place in range(shortest) if len({one[place] for one in tokens}) > 1), shortest)


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
