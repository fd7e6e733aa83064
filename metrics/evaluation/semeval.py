"""Reads and writes the JSON of SemEval-2024 Task 3 (ECF 2.0), which the official evaluator takes.

A list of ``{"conversation_ID": int, "conversation": [{"utterance_ID", "text", "speaker", "emotion", "video_name"?}],
"emotion-cause_pairs": [["3_surprise", "1"], ...]}``. In subtask 2 the cause is an utterance number; in subtask 1 it is
``"1_<span text>"``, of which only the utterance is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.files import write_json
from iemomecp_dataset.metrics.set_scores import PairSet, pair_set

__all__ = ["SemevalConversations", "read_semeval", "write_semeval"]

_EMOTION = re.compile(r"(\d+)_(\S+)")
_CAUSE = re.compile(r"(\d+)(?:_(.*))?", re.DOTALL)


@dataclass(frozen=True)
class SemevalConversations:
    """Content of a SemEval-2024 Task 3 file.

    Attributes:
        pairs: Its pairs with their emotions; dialogue ids are the conversation ids as text.
        conversations: The conversations as in the file, in order.
        n_repeated: Pairs given more than once (once per span, in subtask 1) and kept once.
    """

    pairs: PairSet
    conversations: tuple[dict[str, Any], ...]
    n_repeated: int


def read_semeval(path: str | Path) -> SemevalConversations:
    """Reads a file of either subtask.

    Args:
        path: The JSON file, gold or predicted. Conversations without the key ``emotion-cause_pairs`` (as in a test set
            without gold) have no pairs.

    Returns:
        Its pairs and conversations.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is not of this format; the message names the conversation and the pair.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "gold.json"
        ...     _ = file.write_text('[{"conversation_ID": 1, "emotion-cause_pairs": [["3_joy", "2"]]}]')
        ...     pairs = read_semeval(file).pairs
        >>> pairs.target_turns.tolist(), pairs.cause_turns.tolist(), pairs.emotions.tolist()
        ([3], [2], ['joy'])
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingDataError(f"{path} is not there.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"{path} is not JSON in UTF-8: {error}.") from None
    if not isinstance(content, list):
        raise InvalidDataError(f"{path}: expected a list of conversations; found {type(content).__name__}.")
    rows: dict[tuple[str, int, int, str], None] = {}
    seen: set[str] = set()
    n_repeated = 0
    for index, conversation in enumerate(content):
        if not isinstance(conversation, dict) or "conversation_ID" not in conversation:
            raise InvalidDataError(f"{path}: entry {index} is not a conversation; it needs the key 'conversation_ID'.")
        name = str(conversation["conversation_ID"])
        if name in seen:
            raise InvalidDataError(f"{path}: conversation {name} occurs twice; each must occur once.")
        seen.add(name)
        turns = {_turn(path, name, utterance) for utterance in conversation.get("conversation") or []}
        for pair in conversation.get("emotion-cause_pairs") or []:
            target, emotion, cause = _pair(path, name, pair)
            for role, turn in (("emotion", target), ("cause", cause)):
                if turns and turn not in turns:
                    raise InvalidDataError(
                        f"{path}: conversation {name}, pair {pair}: there is no utterance {turn} ({role}); the "
                        f"conversation has {len(turns)} utterances."
                    )
            n_repeated += (name, target, cause, emotion) in rows
            rows[(name, target, cause, emotion)] = None
    keys = list(rows)
    return SemevalConversations(
        pairs=pair_set([k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys], [k[3] for k in keys]),
        conversations=tuple(content),
        n_repeated=n_repeated,
    )


def write_semeval(path: str | Path, pairs: PairSet, conversations: Sequence[Mapping[str, Any]]) -> None:
    """Writes predictions in the format of subtask 2.

    Args:
        path: The file to write.
        pairs: The predicted pairs, with emotions.
        conversations: The conversations they were predicted on: ``conversation_ID`` and, to be copied,
            ``conversation``. All are written in this order, also those without a predicted pair; their gold pairs are
            not.

    Raises:
        InvalidDataError: Pairs without emotions, or of a conversation that is not given.
    """
    if pairs.emotions is None:
        raise InvalidDataError(
            "The SemEval format needs an emotion for every pair; these have none. Give predicted emotions, or gold "
            "ones, and state which."
        )
    found: dict[str, list[tuple[int, str, int]]] = {str(entry["conversation_ID"]): [] for entry in conversations}
    for dialogue, target, cause, emotion in zip(
        pairs.dialogue_ids.tolist(),
        pairs.target_turns.tolist(),
        pairs.cause_turns.tolist(),
        pairs.emotions.tolist(),
        strict=True,
    ):
        if dialogue not in found:
            raise InvalidDataError(
                f"Pair (dialogue {dialogue}, target {target}, cause {cause}) is of none of the {len(found)} "
                "given conversations."
            )
        found[dialogue].append((target, emotion, cause))
    content = []
    for conversation in conversations:
        entry = {key: value for key, value in conversation.items() if key != "emotion-cause_pairs"}
        entry["emotion-cause_pairs"] = [
            [f"{target}_{emotion}", str(cause)]
            for target, emotion, cause in sorted(found[str(conversation["conversation_ID"])])
        ]
        content.append(entry)
    write_json(Path(path), content)


def _turn(path: Path, name: str, utterance: Any) -> int:
    try:
        return int(utterance["utterance_ID"])
    except (KeyError, TypeError, ValueError):
        raise InvalidDataError(
            f"{path}: conversation {name}: an utterance lacks a whole number 'utterance_ID'."
        ) from None


def _pair(path: Path, name: str, pair: Any) -> tuple[int, str, int]:
    if isinstance(pair, list) and len(pair) == 2:
        target, cause = _EMOTION.fullmatch(str(pair[0])), _CAUSE.fullmatch(str(pair[1]))
        if target and cause:
            return int(target[1]), target[2], int(cause[1])
    raise InvalidDataError(
        f'{path}: conversation {name}: {pair!r} is not a pair; expected ["<turn>_<emotion>", "<turn>"], or '
        '["<turn>_<emotion>", "<turn>_<text>"] with a span.'
    )
