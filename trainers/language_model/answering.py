"""What a backend gives back, and what every backend can do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from iemomecp_dataset.trainers.language_model.asking import Request

__all__ = ["BLANKS", "Answer", "Backend", "Failure", "LabelProbabilities", "OnAnswer", "label_probabilities"]


@dataclass(frozen=True)
class Answer:
    """An answer, as it is kept: fields of a response, none of whose texts is read here, as readers may change.

    Attributes:
        text: What the model wrote.
        finish_reason: Why it ended, in the words of OpenAI's interface: ``stop``, ``length``, ``content_filter``; or
            ``refusal``.
        first_tokens: Log-probabilities of tokens at the first position, by token; None where there are none.
        prompt_tokens: Tokens of the request.
        cached_tokens: Those of them that the server had computed before.
        completion_tokens: Tokens of the answer.
        latency: Seconds until it was there, waiting included.
        structure: How the form of the answer was enforced: ``grammar``, ``json_schema``, ``json_object`` or ``none``.
        served: Model, and revision, as the server names them; empty where it does not.
        retries: Attempts before this one that the client repeated by itself.
        left_out: Shots that were left out as the request was longer than the model reads.
        endpoint: Host and port of the server that gave it; empty for a model in this process.
        notes: What a reader of a run with it must know, such as an option that the server has refused.
        response: Body of the server's response, until it is kept; empty afterwards, and for a model in this process.
    """

    text: str
    finish_reason: str = "stop"
    first_tokens: Mapping[str, float] | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    latency: float = 0.0
    structure: str = "none"
    served: str = ""
    retries: int = 0
    left_out: int = 0
    endpoint: str = ""
    notes: tuple[str, ...] = ()
    response: str = field(default="", repr=False)

    def to_json(self) -> str:
        """Writes it for the cache."""
        # All values are plain: a copy of each, as ``asdict`` makes it, would cost more than writing them.
        return json.dumps(vars(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """Reads what :meth:`to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it is no object")
        # Answers that were kept before these were told.
        content = {"endpoint": "", "notes": [], "response": "", **content}
        if content.keys() != _TYPES.keys():
            raise ValueError("fields are missing or unknown")
        for name, kinds in _TYPES.items():
            value = content[name]
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise ValueError(f"{name} is a {type(value).__name__}")
            if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}")
        for value in (content["first_tokens"] or {}).values():
            # A token that cannot come has a log-probability of minus infinity, in whatever spelling.
            if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or value > 1e-3:
                raise ValueError(f"a log-probability is {value!r}")
        if not all(isinstance(note, str) for note in content["notes"]):
            raise ValueError("a note is no text")
        return cls(**{**content, "notes": tuple(content["notes"])})


_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "finish_reason": (str,),
    "first_tokens": (dict, type(None)),
    "prompt_tokens": (int,),
    "cached_tokens": (int,),
    "completion_tokens": (int,),
    "latency": (int, float),
    "structure": (str,),
    "served": (str,),
    "retries": (int,),
    "left_out": (int,),
    "endpoint": (str,),
    "notes": (list,),
    "response": (str,),
}


@dataclass(frozen=True)
class Failure:
    """Why there is no answer; nothing of it is kept, so that the request is sent again next time.

    Attributes:
        kind: In a few words, for the counts.
        message: What was said.
        prompt_tokens: Tokens of the request, where they were told all the same.
        completion_tokens: Tokens of what was answered, likewise.
    """

    kind: str
    message: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


BLANKS = " \t\r\n\u2581\u0120\u010a"
"""Blanks, and how tokenizers write blanks and line breaks."""

OnAnswer = Callable[[int, Answer | Failure], None]
"""Receives the position of a request, and its answer."""


class Backend(Protocol):
    """Answers requests."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Name of the backend, model and revision: what makes another answer likely."""

    @property
    def sampling(self) -> Mapping[str, Any]:
        """How tokens are chosen."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the run must know, such as options that the server refused."""

    @property
    def repeats(self) -> bool:
        """Whether the same words have the same answer whatever the seed, so that asking again is in vain."""

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Answers requests, in any order; each answer is handed over as soon as it is there.

        Raises:
            EndpointError: No request can be answered.
        """


@dataclass(frozen=True)
class LabelProbabilities:
    """Probabilities of the labels of one answer.

    Attributes:
        probabilities: By label, in their order; they sum to 1.
        outside: Mass at the first position that is on no label.
        censored: Labels that are not among the listed tokens, and have the smallest listed log-probability.
    """

    probabilities: tuple[float, ...]
    outside: float
    censored: int = field(default=0)


def label_probabilities(first_tokens: Mapping[str, float], labels: Sequence[str]) -> LabelProbabilities | None:
    """The softmax over the log-probabilities of the labels at the first position of an answer.

    A label with a blank before it, as tokenizers write the first word of a text, is the same label: their masses add.

    Args:
        first_tokens: Log-probabilities by token; the most probable tokens, or the labels alone.
        labels: The labels.

    Returns:
        Their probabilities; None where no label is among the tokens, or none of them has any mass.

    Example:
        >>> found = label_probabilities({"A": -0.5, "The": -1.0, " B": -3.0}, ["A", "B"])
        >>> [round(p, 4) for p in found.probabilities], round(found.outside, 4), found.censored
        ([0.9241, 0.0759], 0.3437, 0)
        >>> [round(p, 4) for p in label_probabilities({" B": -0.02, "A": -6.0}, ["A", "B"]).probabilities]
        [0.0025, 0.9975]
    """
    spellings: dict[str, list[float]] = {}
    for token, value in first_tokens.items():
        bare = token.strip(BLANKS)
        if bare in labels:
            spellings.setdefault(bare, []).append(value)
    logs = {label: _log_of_sum(values) for label, values in spellings.items()}
    largest = max(logs.values(), default=-math.inf)
    if largest == -math.inf:
        return None
    smallest = min(first_tokens.values())
    # A label that is not listed may be as probable as the least probable token that is.
    weights = [math.exp(logs.get(label, smallest) - largest) for label in labels]
    outside = min(max(1.0 - sum(math.exp(value) for value in logs.values()), 0.0), 1.0)
    return LabelProbabilities(
        tuple(weight / sum(weights) for weight in weights), outside, sum(label not in logs for label in labels)
    )


def _log_of_sum(values: Sequence[float]) -> float:
    largest = max(values)
    return largest if largest == -math.inf else largest + math.log(sum(math.exp(one - largest) for one in values))
