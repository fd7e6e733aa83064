"""Prompts as data: files of templates, each with a hash that tells one version from another."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.files import read_text
from iemomecp_dataset.files.yaml_files import read_yaml

__all__ = ["ASKS", "VERIFY", "Ask", "Prompt", "Task", "letters_of", "read_prompt", "require_ask"]

Ask = Literal["dialogue", "target", "pair"]
ASKS: tuple[Ask, ...] = ("dialogue", "target", "pair")
"""What one request asks about: a dialogue, one of its utterances, or one candidate pair."""

Task = Literal["pairs", "roles", "emotions", "explanations"]

VERIFY: Literal["verify"] = "verify"
"""Name of the question about a target that was proposed."""

_FOLDER = "iemomecp_dataset.benchmark.prompts"
_SYSTEM = frozenset({"emotions", "base_rates", "cause_turns"})
_OF_EMOTION = ("explanations", "target")
_ASKS_OF: Mapping[str, tuple[str, ...]] = {"emotions": ("dialogue", "target"), "explanations": ("target",)}
_ANY_TURN = "the same turn, an earlier turn or, rarely, a later one"
_NO_LATER_TURN = "the same turn or an earlier one"

_OF_ASK: Mapping[str, frozenset[str]] = {
    "dialogue": frozenset({"n_turns"}),
    "target": frozenset({"turn", "speaker", "text"}),
    "pair": frozenset({"turn", "speaker", "text", "cause_turn", "cause_text", "letters"}),
    "verify": frozenset({"turn", "speaker", "text", "emotion", "proposed"}),
}


@dataclass(frozen=True)
class Prompt:
    """The templates of one task.

    Attributes:
        source: The file.
        system: Template of the system message.
        questions: By ask the template of the question, which follows the dialogue.
        letters: By class of a pair the words that its letter stands for, in the order of the letters.
        text: The file's content.
    """

    source: str
    system: str
    questions: Mapping[str, str]
    letters: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def version(self) -> str:
        """16 hexadecimal characters of a hash of the templates; comments in the file do not change it."""
        content = json.dumps([self.system, dict(self.questions), list(self.letters.items())], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def system_message(self, emotions: Sequence[str], base_rates: str, *, later_causes: bool = True) -> str:
        """Fills the template of the system message; lines that become empty are left out.

        Args:
            emotions: The emotions to name.
            base_rates: Sentences about train; may be empty.
            later_causes: Whether a cause may follow its target.
        """
        filled = self.system.format_map(
            {
                "emotions": ", ".join(emotions),
                "base_rates": base_rates,
                "cause_turns": _ANY_TURN if later_causes else _NO_LATER_TURN,
            }
        )
        return "\n".join(line for line in filled.splitlines() if line.strip())

    def question(self, ask: Ask | Literal["verify"], **values: Any) -> str:
        """Fills the template of a question.

        Args:
            ask: What is asked about.
            **values: What its names stand for.
        """
        return self.questions[ask].format_map(values)


def letters_of(letters: Mapping[str, str]) -> str:
    """Says which letter stands for which class, in the fixed order.

    Args:
        letters: By class the words for it.

    Example:
        >>> letters_of({"pair": "yes", "non_pair": "no"})
        'A: yes; B: no.'
    """
    return "; ".join(f"{letter}: {words}" for letter, words in zip(string.ascii_uppercase, letters.values())) + "."  # noqa: B905


def read_prompt(task: Task, path: Path | None = None) -> Prompt:
    """Reads the prompt of a task.

    Args:
        task: The task.
        path: A file to read in place of the package's own.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no YAML, lacks a template, or a template has a name that is not filled in.

    Example:
        >>> sorted(read_prompt("emotions").questions)
        ['dialogue', 'target']
    """
    if path is None:
        with resources.as_file(resources.files(_FOLDER) / f"{task}.yaml") as file:
            return _prompt(file, f"{task}.yaml", task)
    return _prompt(path, str(path), task)


def _prompt(path: Path, source: str, task: Task) -> Prompt:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InvalidDataError(f"{source}: a prompt file holds templates by name, such as system and dialogue.")
    unknown = set(content) - {"system", "letters", VERIFY, *ASKS}
    if unknown:
        raise InvalidDataError(
            f"{source}: there is no template {excerpt(min(map(str, unknown)))!r}; known are system, {', '.join(ASKS)}, "
            "verify and letters."
        )
    questions: dict[str, Any] = {ask: content[ask] for ask in (*ASKS, VERIFY) if ask in content}
    if not set(questions) & set(ASKS) or "system" not in content:
        raise InvalidDataError(f"{source}: a prompt file needs a template system, and one of {', '.join(ASKS)}.")
    asks = (*_ASKS_OF.get(task, ASKS), *(() if task in _ASKS_OF else (VERIFY,)))
    for ask in questions:
        if ask not in asks:
            raise InvalidDataError(
                f"{source}: {task} are not asked for by a template {ask}; of them there are {', '.join(asks)}."
            )
    templates: dict[str, Any] = {"system": content["system"], **questions}
    for name, template in templates.items():
        known = _SYSTEM if name == "system" else _OF_ASK[name]
        _check_names(source, name, template, known | {"emotion"} if (task, name) == _OF_EMOTION else known)
    letters = content.get("letters", {})
    if not isinstance(letters, dict) or not all(isinstance(words, str) for words in letters.values()):
        raise InvalidDataError(f"{source}: letters holds by class the words for it.")
    if "pair" in questions:
        from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

        classes = ROLE_LABELS if task == "roles" else PAIR_LABELS
        if tuple(letters) != classes:
            raise InvalidDataError(
                f"{source}: letters are for {excerpt(', '.join(map(str, letters)), 80) or 'no class'}; expected "
                f"{', '.join(classes)}, in this order."
            )
    return Prompt(source, content["system"], questions, letters, read_text(path))


def _check_names(source: str, name: str, template: Any, known: frozenset[str]) -> None:
    if not isinstance(template, str):
        raise InvalidDataError(f"{source}: the template {name} must be a text.")
    try:
        parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise InvalidDataError(
            f"{source}: the template {name}: {excerpt(error, 120)}. Write {{{{ and }}}} for braces."
        ) from None
    for _, one, layout, conversion in parts:
        if layout or conversion:
            raise InvalidDataError(
                f"{source}: the template {name} says how {{{excerpt(str(one))}}} is laid out; names are filled in as "
                f"they are. Write {{{excerpt(str(one))}}} alone."
            )
    for one in sorted({str(part[1]) for part in parts} - known):
        raise InvalidDataError(
            f"{source}: the template {name} has {{{excerpt(one)}}}, which is not filled in; known are "
            f"{', '.join(f'{{{each}}}' for each in sorted(known))}. Write {{{{ and }}}} for braces."
        )


def require_ask(prompt: Prompt, ask: Ask, task: Task) -> None:
    """Refuses an ask that the prompt has no template for.

    Raises:
        UsageError: There is none.
    """
    if ask not in prompt.questions:
        offered = ", ".join(name for name in prompt.questions if name != VERIFY)
        raise UsageError(f"{task} are not asked by --ask {ask} ({prompt.source} has {offered}). Give another --ask.")
