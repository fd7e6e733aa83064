"""Token ids of prompts and answers, and their mini-batches.

In token ids, negative numbers stand for what is not text (:class:`Placeholder`): the model puts vectors in their place.
Causal models are padded on the left and read prompt and answer as one sequence; encoder-decoders are padded on the
right and read the prompt, with the answer as labels.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.prompts import (
    CAUSE_MARK,
    SYSTEM_MESSAGE,
    VIDEO_TOKEN,
    ExplanationItem,
    example_messages,
    user_message,
    without_farthest_turn,
    without_least_example,
)

__all__ = ["IGNORED", "ChatTemplate", "EncodedItem", "ExplanationEncoder", "Placeholder", "Vectors"]

_logger = logging.getLogger(__name__)

IGNORED = -100
"""The label of a position that is not learned."""

ChatTemplate = Literal["tokenizer", "plain"]

Vectors = Callable[[str], NDArray[Any] | None]
"""``utterance_id`` to the vectors of its clip, ``(K, d)``, or to frames ``(T, 3, H, W)``; None where there are none."""

_PLAIN_QUESTION = "{user}\n\nExplanation:"
"""How ``chat_template="plain"`` lays out a question; the answer follows after a blank. The system message, if any, is a
paragraph before the first question."""

_ANSWER = "Answer0"
"""Stands for the answer while a chat template is looked at."""


class Placeholder(IntEnum):
    """What a negative token id stands for.

    Attributes:
        VIDEO: The whole block, in an :class:`EncodedItem`; a batch has its parts.
        START: The learned vector before frames and faces.
        FRAME: A projected frame token.
        FACE: A projected face vector.
        END: The learned vector after them.
    """

    VIDEO = -1
    START = -2
    FRAME = -3
    FACE = -4
    END = -5


@dataclass(frozen=True)
class EncodedItem:
    """Token ids of one item.

    Attributes:
        input_ids: ``(L,)`` int64: the prompt; for a causal model the answer and its end token follow.
        labels: For a causal model ``(L,)``, :data:`IGNORED` in the prompt. For an encoder-decoder ``(M,)``, the answer
            and its end token.
        truncated_turns: Turns of context that were left out to keep to the maximum length.
        prompt_length: Tokens of the prompt.
        utterance_id: Names its clip.
        truncated_examples: Examples that were left out likewise, before any turn was.
    """

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    truncated_turns: int
    prompt_length: int
    utterance_id: str
    truncated_examples: int = 0


class ExplanationEncoder:
    """Turns items into token ids and mini-batches for one language model.

    Args:
        tokenizer: The language model's.
        max_length: Text tokens of prompt and answer together; frames and faces come on top. Examples that do not fit
            are left out, the first of an item first; then turns of context, the farthest first.
        system: The system message; None for none. A template that has no place for it gets it at the head of the
            user's message.
        has_video: Whether prompts have a place for frames and faces.
        chat_template: ``tokenizer``, the tokenizer's own; or ``plain``, for base models and encoder-decoders that have
            none: system message, user's message and ``Explanation:`` in paragraphs.
        encoder_decoder: Whether the language model is one.
        patches_per_frame: Patches of a frame in the vision tower, where clips come as frames; see
            :attr:`~iemomecp_dataset.trainers.explanation.modeling_explanation.ExplanationModel.patches_per_frame`.

    Raises:
        UsageError: The tokenizer has no chat template and no plain one is asked for, or it has no end token.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int = 512,
        system: str | None = SYSTEM_MESSAGE,
        has_video: bool = False,
        chat_template: ChatTemplate = "tokenizer",
        encoder_decoder: bool = False,
        patches_per_frame: int = 0,
    ):
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.system = system
        self.has_video = has_video
        self.chat_template = chat_template
        self.encoder_decoder = encoder_decoder
        self.patches_per_frame = patches_per_frame
        if chat_template == "tokenizer" and not tokenizer.chat_template:
            raise UsageError(
                f"The tokenizer of {tokenizer.name_or_path or 'this language model'} has no chat template. Choose a "
                "model that was tuned on instructions, or ask for the plain layout of prompts with chat_template=plain."
            )
        self._control = _control_tokens(tokenizer)
        self.end_id = self._end_id()
        self.pad_id: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_id

    def prompt(self, item: ExplanationItem) -> str:
        """The text before the answer, as the language model reads it.

        Control tokens of the tokenizer that stand in the dialogue, such as ``<|end|>``, get a blank behind their first
        character, so that they are text.
        """
        earlier = [(self._as_text(asked), self._as_text(answer)) for asked, answer in example_messages(item)]
        user = self._as_text(user_message(item, has_video=self.has_video))
        if self.chat_template == "plain":
            answered = [f"{_PLAIN_QUESTION.format(user=asked)} {answer}" for asked, answer in earlier]
            return "\n\n".join([*filter(None, [self.system]), *answered, _PLAIN_QUESTION.format(user=user)])
        return self._rendered(user, earlier=earlier)

    def encode(self, item: ExplanationItem) -> EncodedItem:
        """Token ids of an item; without a reference, those of its prompt alone.

        Raises:
            UsageError: Prompt and answer are too long even without context.
        """
        answer = self._answer_ids(item.reference)
        examples, truncated, shorter = 0, 0, item
        while len(prompt := self._prompt_ids(shorter)) + len(answer) > self.max_length:
            fewer = without_least_example(shorter)
            if fewer is not None:
                examples, shorter = examples + 1, fewer
                continue
            left = without_farthest_turn(shorter)
            if left is None:
                raise UsageError(
                    f"The explanation of turn {item.target_turn} in {item.dialogue_id} takes {len(prompt)} tokens of "
                    f"prompt and {len(answer)} of answer without any context, but the maximum is {self.max_length}. "
                    "Raise max_length."
                )
            truncated, shorter = truncated + 1, left
        ids, labels = prompt, answer
        if not self.encoder_decoder:
            ids, labels = prompt + answer, [IGNORED] * len(prompt) + answer
        return EncodedItem(
            input_ids=np.asarray(ids, dtype=np.int64),
            labels=np.asarray(labels, dtype=np.int64),
            truncated_turns=truncated,
            prompt_length=len(prompt),
            utterance_id=item.utterance_id,
            truncated_examples=examples,
        )

    def length(
        self,
        item: EncodedItem,
        frames: Vectors | None = None,
        faces: Vectors | None = None,
        *,
        for_generation: bool = False,
    ) -> int:
        """How many tokens and vectors of an item the language model reads; the arguments are those of :meth:`collate`.

        Frames are those of a store.
        """
        length = item.prompt_length if for_generation else len(item.input_ids)
        found = [vectors(item.utterance_id) for vectors in (frames, faces) if vectors is not None]
        # The place of the video becomes two learned vectors around its own.
        return length + self.has_video + sum(len(one) for one in found if one is not None)

    def collate(
        self,
        items: Sequence[EncodedItem],
        frames: Vectors | None = None,
        faces: Vectors | None = None,
        *,
        for_generation: bool = False,
    ) -> dict[str, Tensor]:
        """Pads items to a mini-batch; frames and faces are padded apart and masked, so that no pad is ever read.

        Args:
            items: Of :meth:`encode`.
            frames: Frame tokens ``(K, d)`` of a clip, or its frames ``(T, 3, H, W)`` for the vision tower.
            faces: Face vectors ``(F, d)`` of a clip.
            for_generation: Prompts alone, without answers and labels.

        Returns:
            ``input_ids`` and ``attention_mask`` ``(B, L)``; ``labels`` ``(B, L)`` or, for an encoder-decoder,
            ``(B, M)``; with frames ``frames`` ``(B, K, d)`` and ``frame_mask`` ``(B, K)`` bool, or ``pixel_values``
            ``(B, T, 3, H, W)`` and ``frame_mask`` ``(B, T)``; with faces ``faces`` and ``face_mask``. Where no clip of
            the batch has any, they are left out. An item without a clip keeps the two learned vectors around nothing.

        Raises:
            UsageError: Vectors are given although prompts have no place for them, or they have another shape.
        """
        if (frames or faces) and not self.has_video:
            raise UsageError("There are frames or faces, but the prompts have no place for them: set has_video.")
        shown, shown_mask = _stacked([frames(item.utterance_id) for item in items] if frames else [], "frames")
        seen, seen_mask = _stacked([faces(item.utterance_id) for item in items] if faces else [], "faces")
        pixels = shown is not None and shown.ndim == 5
        rows, labels = [], []
        for row, item in enumerate(items):
            ids = item.input_ids
            n_frames = 0 if shown_mask is None else int(shown_mask[row].sum())
            if pixels and n_frames:
                n_frames += self.patches_per_frame
            n_faces = 0 if seen_mask is None else int(seen_mask[row].sum())
            if for_generation:
                ids = ids[: item.prompt_length]
            expanded = _expanded(ids, n_frames, n_faces)
            rows.append(expanded)
            if self.encoder_decoder or for_generation:
                labels.append(item.labels)
            else:
                more = np.full(len(expanded) - len(ids), IGNORED, dtype=np.int64)
                labels.append(np.concatenate([more, item.labels]))
        left = not self.encoder_decoder
        input_ids = _padded(rows, self.pad_id, left=left)
        attention_mask = _padded([np.ones(len(ids), dtype=np.int64) for ids in rows], 0, left=left)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if not for_generation:
            batch["labels"] = _padded(labels, IGNORED, left=left)
        if shown is not None and shown_mask is not None:
            batch |= {"pixel_values" if pixels else "frames": shown, "frame_mask": shown_mask}
        if seen is not None and seen_mask is not None:
            batch |= {"faces": seen, "face_mask": seen_mask}
        return batch

    def decode(self, ids: Sequence[int], end_ids: Sequence[int] = ()) -> str:
        """The text of generated tokens up to the first end token, without blanks around it.

        Args:
            ids: Token ids.
            end_ids: Further end tokens, such as those of the language model's own settings.
        """
        ends = {self.end_id, *end_ids}
        kept = [*ids]
        kept = kept[: next((i for i, token in enumerate(kept) if token in ends), len(kept))]
        return str(self.tokenizer.decode(kept, skip_special_tokens=True)).strip()

    def _prompt_ids(self, item: ExplanationItem) -> list[int]:
        parts = self.prompt(item).split(VIDEO_TOKEN)
        if len(parts) != 1 + self.has_video:
            raise UsageError(f"The system message must not contain {VIDEO_TOKEN}, which stands for the frames.")
        ids = self._ids(parts[0])
        for part in parts[1:]:
            ids += [int(Placeholder.VIDEO), *self._ids(part)]
        if self.chat_template == "plain":
            before, after = self._special_ids()
            # The end token that a tokenizer puts behind a text would end the prompt of a causal model.
            return [*before, *ids, *(after if self.encoder_decoder else ())]
        return ids

    def _answer_ids(self, reference: str | None) -> list[int]:
        """The answer and its end token; nothing without a reference."""
        if reference is None:
            return []
        text = self._as_text(" ".join(reference.split()))
        if self.encoder_decoder:
            ids = list(self.tokenizer(text_target=text)["input_ids"])
            return ids if ids[-1] == self.end_id else [*ids, self.end_id]
        return [*self._ids(f" {text}" if self.chat_template == "plain" else text), self.end_id]

    def _as_text(self, message: str) -> str:
        """A message in which no control token is left."""
        while self._control is not None and (found := self._control.search(message)):
            place = found.start() + 1
            message = f"{message[:place]} {message[place:]}"
        return message

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if text else []

    def _special_ids(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text of its own accord."""
        bare, full = self._ids("a"), list(self.tokenizer("a")["input_ids"])
        first = next(i for i in range(len(full) + 1) if full[i : i + len(bare)] == bare)
        return full[:first], full[first + len(bare) :]

    def _rendered(self, user: str, answer: str | None = None, earlier: Sequence[tuple[str, str]] = ()) -> str:
        """The chat template's text of a conversation: up to the answer, or with it; earlier exchanges come first."""
        said = [
            (role, text) for exchange in earlier for role, text in zip(("user", "assistant"), exchange, strict=True)
        ]
        said += [("user", user), *([] if answer is None else [("assistant", answer)])]
        messages = [{"role": role, "content": text} for role, text in said]
        if self.system:
            text = self._templated([{"role": "system", "content": self.system}, *messages])
            # Some templates refuse a system message, others drop it.
            if text is not None and self.system in text:
                return text
            messages[0] = {"role": "user", "content": f"{self.system}\n\n{messages[0]['content']}"}
        text = self._templated(messages)
        if text is None:
            what = f"{len(earlier)} examples before a question" if earlier else "one question and its answer"
            raise UsageError(
                f"The chat template of {self.tokenizer.name_or_path or 'this tokenizer'} refuses a conversation of "
                f"{what}. Ask for the plain layout of prompts with chat_template=plain."
            )
        return text

    def _templated(self, messages: Sequence[Mapping[str, str]]) -> str | None:
        """What the template makes of messages; None where it refuses them."""
        from jinja2.exceptions import TemplateError

        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(messages),
                    tokenize=False,
                    add_generation_prompt=messages[-1]["role"] != "assistant",
                    # Templates of models that think aloud first leave it out then; others ignore it.
                    enable_thinking=False,
                )
            )
        except TemplateError:
            return None

    def _end_id(self) -> int:
        """The token that ends an answer: the first special one that the template puts behind it, else the end token."""
        if self.chat_template == "tokenizer":
            behind = self._rendered("Question", _ANSWER).rpartition(_ANSWER)[2]
            special = set(self.tokenizer.all_special_ids)
            added = getattr(self.tokenizer, "added_tokens_decoder", {})
            special |= {token_id for token_id, token in added.items() if token.special}
            found = next((token for token in self._ids(behind) if token in special), None)
            if found is not None:
                return found
        if self.tokenizer.eos_token_id is None:
            raise UsageError(
                f"The tokenizer of {self.tokenizer.name_or_path or 'this language model'} has no end token "
                "(eos_token), so that answers would never end. Set it in the tokenizer's configuration."
            )
        return int(self.tokenizer.eos_token_id)


def _control_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """Finds the control tokens of a tokenizer in a text; None where it has none.

    They are its special tokens in brackets or the like: some tokenizers pad with a word or a sign that texts have, too.
    """
    tokens = {str(token) for token in tokenizer.all_special_tokens}
    added = getattr(tokenizer, "added_tokens_decoder", {})
    tokens |= {token.content for token in added.values() if token.special}
    # Those that prompts have on purpose.
    tokens -= {VIDEO_TOKEN, CAUSE_MARK}
    tokens = {token for token in tokens if len(token) > 2 and not token[0].isalnum() and not token[-1].isalnum()}
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))) if tokens else None


def _expanded(ids: NDArray[np.int64], n_frames: int, n_faces: int) -> NDArray[np.int64]:
    """Puts the parts of the video block in its place."""
    place = np.flatnonzero(ids == Placeholder.VIDEO)
    if not len(place):
        return ids
    block = [Placeholder.START, *[Placeholder.FRAME] * n_frames, *[Placeholder.FACE] * n_faces, Placeholder.END]
    at = int(place[0])
    return np.concatenate([ids[:at], np.asarray(block, dtype=np.int64), ids[at + 1 :]])


def _padded(rows: Sequence[NDArray[np.int64]], value: int, *, left: bool) -> Tensor:
    width = max(map(len, rows))
    out = np.full((len(rows), width), value, dtype=np.int64)
    for row, ids in enumerate(rows):
        out[row, width - len(ids) if left else 0 : width if left else len(ids)] = ids
    return torch.from_numpy(out)


def _stacked(found: Sequence[NDArray[Any] | None], what: str) -> tuple[Tensor | None, Tensor | None]:
    """Pads arrays along their first axis and tells which of it is real; nothing where there are none."""
    present = [array for array in found if array is not None and len(array)]
    if not present:
        return None, None
    shapes = {array.shape[1:] for array in present}
    if len(shapes) > 1:
        listed = " and ".join(" x ".join(map(str, shape)) for shape in sorted(shapes))
        raise UsageError(f"The {what} of clips have different shapes: {listed}. Take all of them from one store.")
    lengths = [0 if array is None else len(array) for array in found]
    values = torch.zeros(len(found), max(lengths), *present[0].shape[1:], dtype=torch.float32)
    for row, array in enumerate(found):
        if array is not None and len(array):
            values[row, : len(array)] = torch.from_numpy(np.asarray(array, dtype=np.float32))
    return values, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
