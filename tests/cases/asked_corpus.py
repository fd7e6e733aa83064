"""A small corpus in ECF's layout with invented sentences, and scripts of a server that knows its gold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from language_model_server import Reply, asked_turns, turns_of

from iemomecp_dataset.trainers.language_model.asking import Dialogue

FILES = {"train": "train.txt", "validation": "dev.txt", "test": "test.txt"}
_EMOTIONS = ("joy", "neutral", "anger", "surprise", "neutral", "sadness")
_WORDS = ("the rain stops", "we lost a match", "the train is late", "what a cake", "my key is gone", "so what")


def write_asked_corpus(folder: Path, n_dialogues: int = 5) -> Path:
    """Writes three splits. Every emotional turn but the first of its dialogue has a cause; no text occurs twice."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, (split, name) in enumerate(FILES.items()):
        lines = []
        for number in range(n_dialogues):
            n_turns = 3 + (number + place) % 4
            emotions = [_EMOTIONS[(turn + number + place) % 6] for turn in range(n_turns)]
            pairs = []
            for turn, emotion in enumerate(emotions, start=1):
                if emotion != "neutral" and turn > 1:
                    pairs += [(turn, turn)] * (turn % 2) + [(turn, turn - 1)] * (turn % 3 > 0)
            ident = 100 * place + number + 1
            lines += [f"{ident} {n_turns}", ",".join(f"({target},{cause})" for target, cause in pairs)]
            for turn, emotion in enumerate(emotions, start=1):
                text = f"{_WORDS[(turn * 2 + number) % 6]} , {split} {number} {turn} ."
                time = f"Show_S1E1: 00:00:{turn:02}.000 - 00:00:{turn:02}.900"
                lines.append(f"{turn} | {'Ann' if turn % 2 else 'Bob'} | {emotion} | {text} | {time}")
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class KnowsGold:
    """Answers of a model that knows the gold.

    Args:
        dialogues: The dialogues that it will be asked about.
        roles: Whether context is a class.
    """

    def __init__(self, dialogues: Iterable[Dialogue], *, roles: bool = False):
        self._of = {tuple(zip(one.speakers, one.texts, strict=True)): one for one in dialogues}
        self._roles = roles

    def dialogue(self, body: dict[str, Any]) -> Dialogue:
        return self._of[tuple(turns_of(body))]

    def records(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        one = self.dialogue(body)
        found = [self._record(one, turn) for turn in range(1, one.n_turns + 1)]
        return [record for record in found if record["causes"] or record.get("context")]

    def _record(self, one: Dialogue, turn: int) -> dict[str, Any]:
        lists = {
            name: [cause for (target, cause), label in one.labels.items() if target == turn and label == role]
            for role, name in enumerate(("causes", "context") if self._roles else ("causes",))
        }
        return {"target": turn, "emotion": one.emotions[turn - 1], **lists}

    def gold(self, body: dict[str, Any]) -> str:
        turns = asked_turns(body)
        if not turns:
            return json.dumps({"records": self.records(body)})
        record = self._record(self.dialogue(body), turns[0])
        del record["target"]
        return json.dumps(record)

    def self_and_previous(self, body: dict[str, Any]) -> str:
        one = self.dialogue(body)
        emotional = [turn for turn in range(1, one.n_turns + 1) if one.emotions[turn - 1] != "neutral"]
        return json.dumps(
            {"records": [{"target": turn, "emotion": one.emotions[turn - 1],
                          "causes": [cause for cause in (turn - 1, turn) if cause]} for turn in emotional]}
        )  # fmt: skip

    def fenced(self, body: dict[str, Any]) -> str:
        return f"Here you are:\n```json\n{self.gold(body)}\n```"

    def prose(self, body: dict[str, Any]) -> str:
        pairs = [(record["target"], record["emotion"], cause)
                 for record in self.records(body) for cause in record["causes"]]  # fmt: skip
        return "\n".join(f"{target}_{emotion}, {cause}." for target, emotion, cause in pairs) or "There is none."

    def wrong_turns(self, body: dict[str, Any]) -> str:
        """The gold and, of each dialogue, two pairs of turns that do not exist."""
        wrong = [{"target": 90, "emotion": "joy", "causes": [1]}, {"target": 1, "emotion": "joy", "causes": [0]}]
        return json.dumps({"records": [*self.records(body), *wrong]})

    def cut_off(self, body: dict[str, Any]) -> Reply:
        return Reply(f'{{"records": {json.dumps(self.records(body))[:-1]}, {{"tar', finish_reason="length")

    def letter(self, body: dict[str, Any]) -> Reply:
        """The letter of a pair, with probabilities that separate the gold; the mass outside is 0.1."""
        cause, target = asked_turns(body)  # the question names the cause first
        is_gold = self.dialogue(body).labels[target, cause] == 0
        p = 0.6 if is_gold else 0.2
        return Reply("A" if is_gold else "B",
                     tokens={"A": math.log(0.9 * p), "B": math.log(0.9 * (1 - p)), "So": math.log(0.1)})  # fmt: skip
