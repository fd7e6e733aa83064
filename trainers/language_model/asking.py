"""What is sent: one request per dialogue, utterance or candidate pair, the dialogue first and the question last."""

from __future__ import annotations

import json
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.schema import EXPLANATION_STATUSES, NEUTRAL_EMOTIONS, PAIR_LABELS, ROLE_LABELS
from iemomecp_dataset.trainers.language_model.answers import Reads
from iemomecp_dataset.trainers.language_model.prompts import Ask, Prompt, Task, letters_of
from iemomecp_dataset.trainers.language_model.schemas import (
    MOST_CAUSES,
    MOST_RECORDS,
    Schema,
    dialogue_schema,
    emotions_schema,
    explanation_schema,
    target_schema,
)

__all__ = [
    "Asking",
    "Dialogue",
    "Request",
    "base_rates",
    "dialogues_of",
    "has_later_causes",
    "task_of",
    "window_losses",
]

_COMPLETE = EXPLANATION_STATUSES.index("complete")
_MOST_TOKENS = {"dialogue": 512, "target": 64, "pair": 1}
_EXPLANATION_TOKENS = 96


@dataclass(frozen=True)
class Dialogue:
    """A row as it is asked about. Its gold is read for shots alone, that is, of train.

    Attributes:
        split: Its split.
        dialogue_id: The row's ``dialogue_id``.
        speakers: By turn, from 1, who speaks.
        texts: Likewise what is said.
        candidates: The pairs ``(target, cause)`` that can be predicted, in the order of the pair table.
        emotions: Gold: by turn the name of its emotion; None where it is not known.
        labels: Gold: by candidate its class id.
        explanations: Gold: by target its complete explanation.
    """

    split: str
    dialogue_id: str
    speakers: tuple[str, ...]
    texts: tuple[str, ...]
    candidates: tuple[tuple[int, int], ...]
    emotions: tuple[str | None, ...]
    labels: Mapping[tuple[int, int], int]
    explanations: Mapping[int, str]

    @property
    def n_turns(self) -> int:
        """Number of turns."""
        return len(self.texts)

    @property
    def lines(self) -> str:
        """The dialogue as it is shown: a numbered line per turn."""
        return "\n".join(
            f"{turn}. {speaker}: {text}"
            for turn, (speaker, text) in enumerate(zip(self.speakers, self.texts, strict=True), start=1)
        )

    @property
    def shown(self) -> str:
        """How the user's message begins; the same object for every question about the dialogue."""
        return f"Conversation:\n{self.lines}\n\n"


@dataclass(frozen=True)
class Request:
    """One question, and what its answer must look like.

    Attributes:
        split: Split of the dialogue.
        dialogue_id: Its id.
        target: The turn that is asked about; None for the dialogue.
        cause: The candidate cause that is asked about; None without.
        system: The system message.
        examples: Questions and answers that precede.
        shown: The dialogue.
        ask: The question.
        schema: Schema of the answer; None where a letter is the answer.
        labels: The letters of the answer; empty where a schema is.
        most_tokens: Most tokens of the answer.
        seed: Seed that is sent.
        attempt: 0, or 1 where an unusable answer is asked for again.
    """

    split: str
    dialogue_id: str
    target: int | None
    cause: int | None
    system: str
    examples: tuple[tuple[str, str], ...]
    shown: str
    ask: str
    schema: Schema | None
    labels: tuple[str, ...]
    most_tokens: int
    seed: int
    attempt: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat."""
        found = [{"role": "system", "content": self.system}]
        for question, answer in self.examples:
            found += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return [*found, {"role": "user", "content": f"{self.shown}{self.ask}"}]

    @property
    def name(self) -> str:
        """Where it belongs, for a message or a transcript."""
        turns = "".join(f", {what} {turn}" for what, turn in (("target", self.target), ("cause", self.cause)) if turn)
        return f"{self.split}, dialogue {self.dialogue_id}{turns}"


@dataclass(frozen=True)
class Asking:
    """Makes the requests of a task.

    Attributes:
        task: The task.
        ask: What one request asks about.
        prompt: The templates.
        emotions: The corpus's emotions.
        system: The system message, filled in.
        window: Of pairs: farthest distance in turns that is asked about; None: any.
        most_tokens: Most tokens of an answer; None: as many as the ask needs.
        seed: Seed that is sent.
    """

    task: Task
    ask: Ask
    prompt: Prompt
    emotions: tuple[str, ...]
    system: str
    window: int | None = None
    most_tokens: int | None = None
    seed: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The letters of the classes, in the order of their ids; empty unless pairs are asked about."""
        return tuple(string.ascii_uppercase[: len(self.prompt.letters)]) if self.ask == "pair" else ()

    @property
    def targets_emotions(self) -> tuple[str, ...]:
        """The emotions that a target can have."""
        return tuple(name for name in self.emotions if name not in NEUTRAL_EMOTIONS)

    def requests(self, dialogue: Dialogue, shots: Sequence[Dialogue] = ()) -> Iterator[Request]:
        """Makes the requests about a dialogue.

        Args:
            dialogue: The dialogue.
            shots: Dialogues of train that precede with their gold answers, the one nearest to the question last.
        """
        examples = tuple(example for shot in shots for example in self.examples(shot))
        shown = dialogue.shown
        for target, cause in self._places(dialogue):
            yield Request(
                split=dialogue.split,
                dialogue_id=dialogue.dialogue_id,
                target=target,
                cause=cause,
                system=self.system,
                examples=examples,
                shown=shown,
                ask=self._question(dialogue, target, cause),
                schema=self._schema(dialogue.n_turns),
                labels=self.labels,
                most_tokens=self._most_tokens(dialogue.n_turns),
                seed=self.seed,
            )

    def examples(self, shot: Dialogue) -> list[tuple[str, str]]:
        """Questions about a dialogue of train with their gold answers.

        A question shows the whole dialogue. Where turns are asked about, a shot is two questions, and its dialogue is
        shown twice: one on a target with a cause, and one on what has none; where pairs are asked about, it is one for
        each letter. So no answer is always right. What the dialogue has no example of has no question. What an answer
        cannot state, as an emotion that is not known, is not shown (:meth:`gold_left_out`).

        Args:
            shot: The dialogue, with its gold.
        """
        places = [place for place in self._places(shot) if self._can_be_shown(shot, *place)]
        if self.ask != "dialogue":
            kinds: dict[int, list[tuple[int | None, int | None]]] = {}
            for place in places:
                kinds.setdefault(self._kind(shot, *place), []).append(place)
            # The middle one: neither the first turn, which has no past, nor the last.
            places = [kinds[kind][len(kinds[kind]) // 2] for kind in sorted(kinds)]
            if self.task == "explanations":
                places = places[:1]
        return [(f"{shot.shown}{self._question(shot, *place)}", self._gold(shot, *place)) for place in places]

    def gold_left_out(self, shot: Dialogue) -> int:
        """Counts what the answer about a whole dialogue of train leaves out of its gold.

        Args:
            shot: The dialogue, with its gold.

        Returns:
            Pairs of targets that are neutral or whose emotion is not known, and those over the most that an answer
            lists; of emotions all, where one is not known. 0 of the other asks, which show chosen questions.
        """
        if self.ask != "dialogue":
            return 0
        if self.task == "emotions":
            return 0 if self._can_be_shown(shot, None, None) else shot.n_turns
        n_classes = 2 if self.task == "roles" else 1
        n_shown = sum(len(turns) for record in self._gold_records(shot) for turns in record.values() if _is_list(turns))
        return sum(label < n_classes for label in shot.labels.values()) - n_shown

    def reads(self, dialogue: Dialogue, target: int | None) -> Reads:
        """What answers about a dialogue are read against.

        Args:
            dialogue: The dialogue.
            target: The turn that was asked about, if one was.
        """
        return Reads(dialogue.n_turns, frozenset(dialogue.candidates), self.emotions, target)

    def _places(self, dialogue: Dialogue) -> Iterable[tuple[int | None, int | None]]:
        if self.ask == "dialogue":
            return [(None, None)]
        if self.task == "explanations":
            return [(target, None) for target in sorted(dialogue.explanations)]
        if self.ask == "target":
            return [(turn, None) for turn in range(1, dialogue.n_turns + 1)]
        return [pair for pair in dialogue.candidates if self.window is None or abs(pair[0] - pair[1]) <= self.window]

    def _question(self, dialogue: Dialogue, target: int | None, cause: int | None) -> str:
        if target is None:
            return self.prompt.question("dialogue", n_turns=dialogue.n_turns)
        values: dict[str, Any] = {
            "turn": target,
            "speaker": dialogue.speakers[target - 1],
            "text": dialogue.texts[target - 1],
        }
        if self.task == "explanations":
            values["emotion"] = dialogue.emotions[target - 1]
        if cause is None:
            return self.prompt.question("target", **values)
        values |= {"cause_turn": cause, "cause_text": dialogue.texts[cause - 1]}
        return self.prompt.question("pair", **values, letters=letters_of(self.prompt.letters))

    def _schema(self, n_turns: int) -> Schema | None:
        if self.ask == "pair":
            return None
        if self.task == "explanations":
            return explanation_schema()
        if self.task == "emotions":
            return emotions_schema(n_turns, self.emotions) if self.ask == "dialogue" else _one_emotion(self.emotions)
        roles = self.task == "roles"
        if self.ask == "dialogue":
            return dialogue_schema(n_turns, self.targets_emotions, roles)
        return target_schema(n_turns, self.emotions, roles)

    def _most_tokens(self, n_turns: int) -> int:
        if self.ask == "pair":
            return 1
        if self.most_tokens is not None:
            return self.most_tokens
        if self.task == "explanations":
            return _EXPLANATION_TOKENS
        if self.task == "emotions" and self.ask == "dialogue":
            return 32 + 8 * n_turns
        return _MOST_TOKENS[self.ask]

    def _can_be_shown(self, shot: Dialogue, target: int | None, cause: int | None) -> bool:
        """Whether the gold answer to a question can be stated without making an emotion up."""
        if target is None:
            return self.task != "emotions" or None not in shot.emotions
        return cause is not None or self.task == "explanations" or shot.emotions[target - 1] is not None

    def _kind(self, shot: Dialogue, target: int | None, cause: int | None) -> int:
        """Which kind of answer is right: of a pair its class id; of a turn 0 where it has a cause, and 1 without."""
        if target is None or self.task == "explanations":
            return 0
        if self.task == "emotions":
            return int(shot.emotions[target - 1] in NEUTRAL_EMOTIONS)
        if cause is not None:
            return shot.labels[target, cause]
        return int(not self._gold_lists(shot, target)["causes"])

    def _gold(self, shot: Dialogue, target: int | None, cause: int | None) -> str:
        if target is not None and cause is not None:
            return self.labels[shot.labels[target, cause]]
        answer: dict[str, Any]
        if self.task == "explanations":
            answer = {"explanation": shot.explanations[target or 0]}
        elif self.task == "emotions":
            answer = {"emotions": list(shot.emotions)} if target is None else {"emotion": shot.emotions[target - 1]}
        elif target is not None:
            answer = {"emotion": shot.emotions[target - 1], **self._gold_lists(shot, target)}
        else:
            answer = {"records": self._gold_records(shot)}
        return json.dumps(answer, ensure_ascii=False)

    def _gold_records(self, shot: Dialogue) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for turn, emotion in enumerate(shot.emotions, start=1):
            lists = self._gold_lists(shot, turn)
            if any(lists.values()) and len(records) < MOST_RECORDS:
                records.append({"target": turn, "emotion": emotion, **lists})
        return records

    def _gold_lists(self, shot: Dialogue, target: int) -> dict[str, list[int]]:
        """The turns of a target by role; none of a target that is neutral, as it is told, or has no known emotion."""
        names = ("causes", "context") if self.task == "roles" else ("causes",)
        # Without emotions, none can be told apart.
        states = not self.targets_emotions or shot.emotions[target - 1] in self.targets_emotions
        return {
            name: [c for (t, c), label in shot.labels.items() if states and t == target and label == role][
                -MOST_CAUSES:
            ]
            for role, name in enumerate(names)
        }


def dialogues_of(corpus: Corpus, split: str) -> list[Dialogue]:
    """The rows of a split as they are asked about.

    Args:
        corpus: The data.
        split: A split that it has.
    """
    names = corpus.emotion_names
    found = []
    for row in corpus.rows[split]:
        utterances = sorted(row["utterances"], key=lambda utterance: int(utterance["turn"]))
        labels = {(pair["target_turn"], pair["cause_turn"]): pair["label"] for pair in row["pairs"]}
        ids = [utterance.get("emotion") for utterance in utterances]
        found.append(
            Dialogue(
                split=split,
                dialogue_id=row["dialogue_id"],
                speakers=tuple(_line(utterance.get("speaker")) or "Speaker" for utterance in utterances),
                texts=tuple(_line(utterance.get("text")) for utterance in utterances),
                candidates=tuple(labels),
                emotions=tuple(None if one is None or not names else names[one] for one in ids),
                labels=labels,
                explanations={
                    part["target_turn"]: _line(part["text"])
                    for part in row.get("explanations") or ()
                    if part["status"] == _COMPLETE
                },
            )
        )
    return found


def base_rates(train: Sequence[Dialogue], task: Task) -> str:
    """Says how frequent what is asked for is in train; models answer too much.

    Args:
        train: The dialogues of train, with their gold.
        task: The task.

    Returns:
        Sentences; empty for explanations, and without train.
    """
    turns = [name for dialogue in train for name in dialogue.emotions if name is not None]
    if task == "explanations" or not train:
        return ""
    if task == "emotions":
        shares = ", ".join(f"{name} {_percent(n, len(turns))}" for name, n in Counter(turns).most_common())
        return f"Of the turns of similar conversations: {shares}." if turns else ""
    emotional = sum(name not in NEUTRAL_EMOTIONS for name in turns)
    sentences = [f"{_percent(emotional, len(turns))} of the turns have an emotion"] if turns else []
    classes = ("cause", "context turn") if task == "roles" else ("cause",)
    for role, word in enumerate(classes):
        gold = [pair for dialogue in train for pair, label in dialogue.labels.items() if label == role]
        targets = {
            (id(dialogue), t) for dialogue in train for (t, _), label in dialogue.labels.items() if label == role
        }
        if not gold:
            continue
        distances = Counter(min(max(target - cause, -1), 2) for target, cause in gold)
        sentences.append(f"a target with a {word} has {len(gold) / len(targets):.1f} of them on average")
        sentences.append(
            f"of all {word}s {_percent(distances[0], len(gold))} are the target itself, "
            f"{_percent(distances[1], len(gold))} the turn before it"
            + (
                f", {_percent(distances[2], len(gold))} earlier and {_percent(distances[-1], len(gold))} later turns"
                if has_later_causes(train)
                else f" and {_percent(distances[2], len(gold))} earlier turns"
            )
        )
    return f"In similar conversations {'; '.join(sentences)}." if sentences else ""


def has_later_causes(dialogues: Iterable[Dialogue]) -> bool:
    """Whether a turn after its target can be a cause, by the candidates."""
    return any(cause > target for dialogue in dialogues for target, cause in dialogue.candidates)


def window_losses(dialogues: Sequence[Dialogue], window: int | None, *, roles: bool = False) -> dict[str, Any]:
    """Counts what a window leaves out.

    Args:
        dialogues: The dialogues of a split.
        window: As in :class:`Asking`.
        roles: Whether context is a class.

    Returns:
        ``candidates_not_asked`` and ``gold_pairs_not_asked``, of roles those of causes and context, and then also
        ``gold_pairs_not_asked_by_role``.
    """
    labels = [
        label
        for dialogue in dialogues
        for (target, cause), label in dialogue.labels.items()
        if window is not None and abs(target - cause) > window
    ]
    by_role = {name: labels.count(role) for role, name in enumerate(ROLE_LABELS[:2] if roles else PAIR_LABELS[:1])}
    counts = {"candidates_not_asked": len(labels), "gold_pairs_not_asked": sum(by_role.values())}
    return {**counts, "gold_pairs_not_asked_by_role": by_role} if roles else counts


def task_of(corpus: Corpus) -> Task:
    """The task of a configuration by what it has: roles or pairs, else explanations, else emotions."""
    if any(len(table) or table.missed_positives for table in corpus.tables.values()):
        return "roles" if corpus.class_names == ROLE_LABELS else "pairs"
    return "explanations" if corpus.has_explanations else "emotions"


def _one_emotion(emotions: tuple[str, ...]) -> Schema:
    one = target_schema(1, emotions)
    return {**one, "properties": {"emotion": one["properties"]["emotion"]}, "required": ["emotion"]}


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())


def _percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)} %" if whole else "0 %"
