"""Dialogues in ECF's and MECAD's layouts, and what HiLo, M3HG and MECPE-2step leave, made from random decisions.

Written from the descriptions of the formats: nothing here calls the package, which is checked against this. A stub
reads the peer's own files in a folder of an export, decides as that peer can decide, writes its decisions in the
peer's format and scores them as the peer does. Places are ``(peer's dialogue id, target turn, cause turn)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

EMOTIONS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")

Place = tuple[str, int, int]
Dialogue = tuple[str, list[tuple[int, int]], list[list[str]]]
"""Id, pairs in the order of the file, and the five fields of each utterance."""


@dataclass
class Left:
    """What a stub left.

    Attributes:
        files: Its files, one per split.
        predicted: By split the pairs that it predicts.
        unscored: By split the pairs that it did not decide on, with the reason.
        printed: By split precision, recall and F1, as the peer computes them.
        emotions: By split its emotion of each (dialogue id, turn), where it states one.
    """

    files: list[Path] = field(default_factory=list)
    predicted: dict[str, set[Place]] = field(default_factory=dict)
    unscored: dict[str, dict[Place, str]] = field(default_factory=dict)
    printed: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    emotions: dict[str, dict[tuple[str, int], str]] = field(default_factory=dict)


def ecf_corpus(folder: Path, *, seed: int = 0, sizes: Mapping[str, int] | None = None) -> dict[str, list[Dialogue]]:
    """Writes ECF of random words as text files, whose ids are spread over the splits as in the genuine one.

    Dialogues have 1 to 20 turns, some no pair, and pairs are listed in any order; some causes are later. The first
    utterance of train is neutral.
    """
    rng = np.random.default_rng(seed)
    splits = [name for name, size in (sizes or {"train": 6, "dev": 5, "test": 8}).items() for _ in range(size)]
    order = rng.permutation(len(splits))
    found: dict[str, list[Dialogue]] = {name: [] for name in dict.fromkeys(splits)}
    for number, place in enumerate(order, start=1):
        split = splits[place]
        n_turns = 20 if split == "test" and not found[split] else int(rng.integers(1, 21))
        emotions = rng.choice(EMOTIONS, size=n_turns)
        emotions[0] = "neutral" if split == "train" and not found[split] else emotions[0]
        places = [(t, c) for t in range(1, n_turns + 1) for c in range(1, n_turns + 1) if abs(t - c) < 13]
        chosen = rng.permutation(len(places))[: int(rng.integers(0, n_turns))]
        turns = []
        for turn, emotion in enumerate(emotions, start=1):
            text = " ".join(f"word{rng.integers(9)}" for _ in range(rng.integers(1, 6)))
            end = "99" if turn == 3 else "999"
            times = f"Show_S1E{number}: 00:00:{turn:02}.{rng.integers(1000):03} - 00:00:{turn:02}.{end}"
            turns.append([str(turn), f"Speaker{rng.integers(3)}", str(emotion), f"{text} .", times])
        found[split].append((str(number), [places[i] for i in chosen], turns))
    folder.mkdir(parents=True, exist_ok=True)
    for split, dialogues in found.items():
        (folder / f"{split}.txt").write_text(ecf_lines(dialogues), encoding="utf-8")
    return found


def ecf_lines(dialogues: Iterable[Dialogue]) -> str:
    """Dialogues as a file of ECF: a header, a line of pairs, which can be empty, and a line per utterance."""
    lines = []
    for name, pairs, turns in dialogues:
        lines += [f"{name} {len(turns)}", ",".join(f"({target},{cause})" for target, cause in pairs)]
        lines += [" | ".join(fields) for fields in turns]
    return "".join(f"{line}\n" for line in lines)


def read_ecf_lines(path: Path) -> list[Dialogue]:
    """Reads such a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    dialogues, at = [], 0
    while at < len(lines) and lines[at]:
        name, n_turns = lines[at].split()
        turns = [line.split(" | ") for line in lines[at + 2 : at + 2 + int(n_turns)]]
        dialogues.append((name, _pairs(lines[at + 1]), turns))
        at += 2 + int(n_turns)
    return dialogues


def turn_lists_of(dialogues: Iterable[Dialogue], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The same dialogues as JSON with a list of turns each, emotions under other names."""
    content = {}
    for name, pairs, turns in dialogues:
        of_turn: dict[int, list[int]] = {}
        for target, cause in pairs:
            of_turn.setdefault(target, []).append(cause)
        content[name] = [
            [
                {
                    "turn": turn,
                    "speaker": fields[1],
                    "utterance": fields[3],
                    "emotion": (names or {}).get(fields[2], fields[2]),
                    "video": f"dia{name}utt{turn}.mp4",
                    **({"expanded emotion cause evidence": of_turn[turn]} if turn in of_turn else {}),
                }
                for turn, fields in enumerate(turns, start=1)
            ]
        ]
    return content


def hilo_stub(export: Path, output: Path, seed: int = 0) -> Left:
    """HiLo and its launcher: probabilities of pairs that pass mask and filter, of which 0.5 and more are predicted."""
    rng = np.random.default_rng(seed)
    left = Left()
    output.mkdir(parents=True, exist_ok=True)
    for split, file in (("validation", "valid"), ("test", "test")):
        entries = []
        gold, predicted, unscored = set(), set(), {}
        for name, pairs, turns in read_ecf_lines(export / "data" / "dataset" / f"{file}.txt"):
            n = len(turns)
            gold |= {(name, *pair) for pair in pairs}
            emotion, cause = rng.integers(0, 3, size=n), rng.integers(0, 2, size=n)
            mask = np.tril(np.ones((n, n), dtype=bool))
            passes = (emotion == 1)[:, None] | (cause == 1)[None, :]
            probability = np.where(mask & passes, rng.choice([0.001, 0.25, 0.5, 0.75, 0.999], size=(n, n)), 0.0)
            for t, c in np.ndindex(n, n):
                place = (name, t + 1, c + 1)
                if not mask[t, c]:
                    unscored[place] = "future"
                elif not passes[t, c]:
                    unscored[place] = "dropped by its filter"
                elif probability[t, c] >= 0.5:
                    predicted.add(place)
            entries.append(
                {
                    "id": int(name),
                    "probability": probability.tolist(),
                    "decision": (probability >= 0.5).astype(int).tolist(),
                    "scored": (mask & passes).astype(int).tolist(),
                    "filtered": (mask & ~passes).astype(int).tolist(),
                    "emotion": emotion.tolist(),
                    "cause": cause.tolist(),
                }
            )
        left.printed[split] = counted(predicted, gold)
        left.predicted[split], left.unscored[split] = predicted, unscored
        percent = [100 * value for value in left.printed[split]]
        content = {
            "format": 1,
            "peer": "hilo",
            "split": split,
            "printed": dict(zip(("precision", "recall", "f1"), percent, strict=True)),
            "dialogues": entries,
        }
        left.files.append(output / f"hilo_{split}.json")
        left.files[-1].write_text(json.dumps(content), encoding="utf-8")
    return left


_M3HG_IDS = {"Anger": 1, "Disgust": 2, "Fear": 3, "Happy": 4, "Sad": 5, "Surprise": 6, "Neutral": 7}


def m3hg_stub(export: Path, output: Path, seed: int = 0, window: int = 12) -> Left:
    """M3HG: emotions, padded to the longest dialogue of a batch of four, then pairs; test alone, by position."""
    rng = np.random.default_rng(seed)
    content = json.loads((export / "data" / "MECAD" / "test_data_pair.json").read_text(encoding="utf-8"))
    names = {number: name for name, number in _M3HG_IDS.items()}
    gold, predicted, unscored, emotions, drawn, lines = set(), set(), {}, {}, [], []
    for name, (turns,) in content.items():
        n = len(turns)
        gold |= {(name, t["turn"], c) for t in turns for c in t.get("expanded emotion cause evidence", [])}
        drawn.append(rng.integers(1, 8, size=n))
        own = []
        for t, c in np.ndindex(n, n):
            place = (name, t + 1, c + 1)
            if abs(t - c) > window:
                unscored[place] = "outside its distance window"
            elif drawn[-1][t] == 7:
                unscored[place] = "dropped by its filter"
            elif rng.random() < 0.2:
                own.append(place)
        predicted |= set(own)
        emotions |= {(name, t + 1): names[int(drawn[-1][t])] for t in range(n)}
        lines.append(str([pair[1:] for pair in own]))
    padded = []
    for at in range(0, len(drawn), 4):
        longest = max(map(len, drawn[at : at + 4]))
        padded += [[*ids.tolist(), *[0] * (longest - len(ids))] for ids in drawn[at : at + 4]]
    output.mkdir(parents=True, exist_ok=True)
    file = output / f"test_result_{seed}.txt"
    file.write_text("".join(f"{k}: {part}\n" for block in (padded, lines) for k, part in enumerate(block)))
    printed = {"test": counted(predicted, gold)}
    return Left([file], {"test": predicted}, {"test": unscored}, printed, {"test": emotions})


def mecpe_stub(export: Path, output: Path, seed: int = 0, *, categories: bool = False) -> Left:
    """MECPE-2step: step 2 chooses among the pairs of what step 1 takes for emotional and what it takes for a cause."""
    rng = np.random.default_rng(seed)
    left = Left()
    folder = output / ("log/mine_emocate" if categories else "log/mine") / "step2_pair"
    folder.mkdir(parents=True, exist_ok=True)
    for split, file in (("validation", "dev"), ("test", "test")):
        gold, predicted, unscored, emotions, text = set(), set(), {}, {}, []
        for name, pairs, turns in read_ecf_lines(export / "data" / f"{file}.txt"):
            n = len(turns)
            gold |= {(name, *pair) for pair in pairs}
            emotion = rng.choice(EMOTIONS if categories else ("neutral", "anger"), size=n)
            cause = rng.integers(0, 2, size=n)
            own = []
            for t, c in np.ndindex(n, n):
                place = (name, t + 1, c + 1)
                if emotion[t] == "neutral" or not cause[c]:
                    unscored[place] = "not among its step-1 candidates"
                elif rng.random() < 0.4:
                    own.append(place)
            predicted |= set(own)
            emotions |= {(name, t + 1): str(emotion[t]) for t in range(n)}
            text += [f"{name} {n}", _line(pairs), _line([pair[1:] for pair in own])]
            text += [
                f"{t + 1} | {emotion[t]} | {cause[t]} | {fields[1]} | {fields[2]} | {fields[3]}"
                for t, fields in enumerate(turns)
            ]
        left.files.append(folder / f"run1_{file}.txt")
        left.files[-1].write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
        left.predicted[split], left.unscored[split] = predicted, unscored
        left.printed[split] = counted(predicted, gold)
        if categories:
            left.emotions[split] = emotions
    return left


def semeval_stub(export: Path, output: Path, seed: int = 0) -> Left:
    """A participant of SemEval-2024 Task 3: triples in the layout of the gold."""
    rng = np.random.default_rng(seed)
    left = Left()
    output.mkdir(parents=True, exist_ok=True)
    for split in ("validation", "test"):
        content = json.loads((export / f"gold_{split}.json").read_text(encoding="utf-8"))
        gold, predicted, emotions = set(), set(), {}
        for entry in content:
            name, n = str(entry["conversation_ID"]), len(entry["conversation"])
            gold |= {(name, int(t.split("_")[0]), int(c)) for t, c in entry["emotion-cause_pairs"]}
            drawn = rng.choice(EMOTIONS[1:], size=n)
            own = [(t, c) for t, c in np.ndindex(n, n) if rng.random() < 0.2]
            entry["emotion-cause_pairs"] = [[f"{t + 1}_{drawn[t]}", str(c + 1)] for t, c in own]
            predicted |= {(name, t + 1, c + 1) for t, c in own}
            emotions |= {(name, t + 1): str(drawn[t]) for t in range(n)}
        left.files.append(output / f"theirs_{split}.json")
        left.files[-1].write_text(json.dumps(content), encoding="utf-8")
        left.predicted[split], left.unscored[split], left.emotions[split] = predicted, {}, emotions
        left.printed[split] = counted(predicted, gold)
    return left


def m3hg_json_stub(export: Path, output: Path, seed: int = 0) -> Left:
    """A system that writes JSON in M3HG's layout."""
    rng = np.random.default_rng(seed)
    left = Left()
    output.mkdir(parents=True, exist_ok=True)
    for split, file in (("validation", "valid"), ("test", "test")):
        content = json.loads((export / f"{file}_data_pair.json").read_text(encoding="utf-8"))
        gold, predicted = set(), set()
        for name, (turns,) in content.items():
            n = len(turns)
            for t, entry in enumerate(turns):
                gold |= {(name, t + 1, cause) for cause in entry.pop("expanded emotion cause evidence", [])}
                if own := [c + 1 for c in range(n) if rng.random() < 0.2]:
                    entry["expanded emotion cause evidence"] = own
                predicted |= {(name, t + 1, cause) for cause in own}
        left.files.append(output / f"theirs_{split}.json")
        left.files[-1].write_text(json.dumps(content), encoding="utf-8")
        left.predicted[split], left.unscored[split] = predicted, {}
        left.printed[split] = counted(predicted, gold)
    return left


def counted(predicted: set[Place], gold: set[Place]) -> tuple[float, float, float]:
    """Precision, recall and F1 of a set of pairs, by counting."""
    hits = len(predicted & gold)
    precision, recall = hits / max(len(predicted), 1), hits / max(len(gold), 1)
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def _pairs(line: str) -> list[tuple[int, int]]:
    return [(int(target), int(cause)) for target, cause in re.findall(r"\((\d+),(\d+)\)", line)]


def _line(pairs: Iterable[tuple[int, ...]]) -> str:
    return ",".join(f"({target},{cause})" for target, cause in pairs)
