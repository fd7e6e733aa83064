"""Outputs of peers, written by a program in each peer's own format from random decisions, and a corpus for them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.peers.manifest import Manifest, ManifestDialogue, write_manifest
from iemomecp_dataset.corpus import Corpus

ECF_EMOTIONS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")
THEIR_NAMES = {
    "m3hg": {name: name.capitalize() for name in ECF_EMOTIONS} | {"joy": "Happy", "sadness": "Sad"},
}
M3HG_IDS = {"anger": 1, "disgust": 2, "fear": 3, "joy": 4, "sadness": 5, "surprise": 6, "neutral": 7}
FILES = {"train": "train.txt", "validation": "dev.txt", "test": "test.txt"}


def write_ecf(folder: Path, seed: int = 0, turns: tuple[int, ...] = (3, 16, 1, 6)) -> Path:
    """Invented dialogues in the text format of ECF: of each split one long enough for pairs beyond any window."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for file in FILES.values():
        lines = []
        for n_turns in turns:
            number += 1
            emotional = rng.random(n_turns) < 0.6
            pairs = [
                (target, cause)
                for target in range(1, n_turns + 1)
                for cause in range(1, n_turns + 1)
                if emotional[target - 1] and rng.random() < (0.5 if -1 <= target - cause <= 2 else 0.02)
            ]
            lines += [f"{number} {n_turns}", ",".join(f"({target},{cause})" for target, cause in pairs)]
            for turn in range(1, n_turns + 1):
                emotion = ECF_EMOTIONS[1 + int(rng.integers(6))] if emotional[turn - 1] else "neutral"
                words = " ".join(f"word{word}" for word in rng.integers(500, size=5))
                lines.append(
                    f"{turn} | Speaker{turn % 3} | {emotion} | {words} . | Own_S1E1: 00:00:01.000 - 00:00:02.000"
                )
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def manifest_for(corpus: Corpus, peer: str, positive: str = "pair", **options: Any) -> Manifest:
    """A manifest whose ids are numbers over all splits, with a prefix for M3HG."""
    number = 0
    splits = {}
    for split, rows in corpus.rows.items():
        dialogues = []
        for row in rows:
            number += 1
            theirs = {"m3hg": f"d{number}"}.get(peer, str(number) if peer in ("hilo", "mecpe") else row["dialogue_id"])
            dialogues.append(ManifestDialogue(theirs, row["dialogue_id"], len(row["utterances"])))
        splits[split] = tuple(dialogues)
    fixed = corpus.name == "iemomecp"
    return Manifest(
        peer=peer,
        config_name=corpus.config_name,
        options={
            "positive": positive,
            "candidates": None if fixed else corpus.candidates,
            "forward_pairs": corpus.forward_pairs if corpus.config_name == "source_binary" else None,
            "modalities": "t",
            **options,
        },
        fingerprints=corpus.fingerprints,
        text_fingerprints=corpus.text_fingerprints,
        emotions=THEIR_NAMES.get(peer, {name: name for name in corpus.emotion_names}),
        splits=splits,
        counts={split: {"utterances": 1} for split in corpus.rows},
        notes=("A choice of the export.",),
        synthetic=corpus.synthetic,
    )


@dataclass
class Decided:
    """Random decisions of a peer on a dialogue, 1-based, and what it did not decide on, by its own format's rules."""

    peer_id: str
    dialogue_id: str
    n_turns: int
    pairs: set[tuple[int, int]] = field(default_factory=set)
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)
    probabilities: dict[tuple[int, int], float] = field(default_factory=dict)
    emotions: list[str] = field(default_factory=list)
    causes: list[bool] = field(default_factory=list)


def random_decisions(
    manifest: Manifest, split: str, seed: int = 0, *, window: int = 12, past: bool = False
) -> list[Decided]:
    """Decisions that this peer could have come to."""
    rng = np.random.default_rng(seed)
    found = []
    for dialogue in manifest.splits[split]:
        decided = Decided(dialogue.peer_id, dialogue.dialogue_id, dialogue.n_turns)
        decided.emotions = [str(rng.choice(ECF_EMOTIONS)) for _ in range(dialogue.n_turns)]
        decided.causes = [bool(rng.random() < 0.6) for _ in range(dialogue.n_turns)]
        for target in range(1, dialogue.n_turns + 1):
            for cause in range(1, dialogue.n_turns + 1):
                reason = _reason(manifest.peer, decided, target, cause, window, past, rng)
                if reason:
                    decided.reasons[target, cause] = reason
                    continue
                decided.probabilities[target, cause] = 0.5 if rng.random() < 0.05 else float(rng.random())
                if decided.probabilities[target, cause] >= 0.5:
                    decided.pairs.add((target, cause))
        found.append(decided)
    return found


def _reason(peer: str, decided: Decided, target: int, cause: int, window: int, past: bool, rng: Any) -> str:
    neutral = decided.emotions[target - 1] == "neutral"
    if (peer == "hilo" or (peer == "mecpe" and past)) and cause > target:
        return "future"
    if peer == "hilo" and rng.random() < 0.3:
        return "dropped by its filter"
    if peer == "m3hg" and abs(target - cause) > window:
        return "outside its distance window"
    if peer == "m3hg" and neutral:
        return "dropped by its filter"
    if peer == "mecpe" and (neutral or not decided.causes[cause - 1]):
        return "not among its step-1 candidates"
    return ""


def hilo_content(
    decided: list[Decided], split: str = "test", printed: dict[str, float] | None = None
) -> dict[str, Any]:
    """What the launcher of HiLo writes."""
    dialogues = []
    for one in decided:
        turns = range(1, one.n_turns + 1)
        dialogues.append(
            {
                "id": int(one.peer_id),
                "probability": [[one.probabilities.get((t, c), 0.0) for c in turns] for t in turns],
                "decision": [[int((t, c) in one.pairs) for c in turns] for t in turns],
                "scored": [[int((t, c) not in one.reasons) for c in turns] for t in turns],
                "filtered": [[int(one.reasons.get((t, c), "").startswith("dropped")) for c in turns] for t in turns],
            }
        )
    return {"format": 1, "peer": "hilo", "split": split, "printed": printed, "dialogues": dialogues}


def m3hg_text(decided: list[Decided], numbered: bool = True) -> str:
    """A block of emotion ids, filled up to the longest dialogue, and a block of pairs, by position."""
    longest = max(one.n_turns for one in decided)
    ids = [[M3HG_IDS[name] for name in one.emotions] + [0] * (longest - one.n_turns) for one in decided]
    number = [f"{place}: " if numbered else "" for place in range(len(decided))]
    emotions = [f"{prefix}{of_turns}" for prefix, of_turns in zip(number, ids, strict=True)]
    pairs = [f"{prefix}{sorted(one.pairs)}" for prefix, one in zip(number, decided, strict=True)]
    return "\n".join(["emotions", *emotions, "couples", *pairs]) + "\n"


def mecpe_text(decided: list[Decided], gold: dict[str, list[tuple[int, int]]], categories: bool = False) -> str:
    """What step 2 leaves: header, gold, predictions and the utterances."""
    lines = []
    for one in decided:
        lines.append(f"{one.peer_id} {one.n_turns}")
        lines.append(", ".join(f"({t},{c})" for t, c in gold[one.dialogue_id]))
        lines.append(", ".join(f"({t},{c})" for t, c in sorted(one.pairs)))
        for turn, (emotion, cause) in enumerate(zip(one.emotions, one.causes, strict=True), 1):
            decision = emotion if categories else str(int(emotion != "neutral"))
            lines.append(f"{turn} | {decision} | {int(cause)} | Speaker | neutral | Some | text .")
    return "\n".join(lines) + "\n"


def semeval_content(decided: list[Decided]) -> list[dict[str, Any]]:
    """Predictions in the layout of SemEval-2024."""
    return [
        {
            "conversation_ID": one.peer_id,
            "emotion-cause_pairs": [[f"{t}_{one.emotions[t - 1]}", str(c)] for t, c in sorted(one.pairs)],
        }
        for one in decided
    ]


def m3hg_json_content(decided: list[Decided]) -> dict[str, Any]:
    """Predictions in the layout of M3HG's JSON."""
    return {
        one.peer_id: [
            [
                {
                    "turn": turn,
                    "emotion": one.emotions[turn - 1],
                    "expanded emotion cause evidence": [c for t, c in sorted(one.pairs) if t == turn],
                }
                for turn in range(1, one.n_turns + 1)
            ]
        ]
        for one in decided
    }


NAMES = {"hilo": "hilo_{split}.json", "m3hg": "test_result_7.txt", "mecpe": "run1_{short}.txt",
         "semeval": "{split}.json", "m3hg-json": "{split}.json"}  # fmt: skip


def write_output(
    folder: Path, manifest: Manifest, split: str, decided: list[Decided], gold: Any = None, **how: Any
) -> Path:
    """Writes decisions as this peer does."""
    path = folder / NAMES[manifest.peer].format(split=split, short={"validation": "dev"}.get(split, split))
    path.parent.mkdir(parents=True, exist_ok=True)
    if manifest.peer == "m3hg":
        content: Any = m3hg_text(decided, **how)
    elif manifest.peer == "mecpe":
        content = mecpe_text(decided, gold, **how)
    elif manifest.peer == "hilo":
        content = hilo_content(decided, split, **how)
    else:
        content = semeval_content(decided) if manifest.peer == "semeval" else m3hg_json_content(decided)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def write_export(folder: Path, manifest: Manifest) -> Path:
    """Writes the manifest; nothing else of an export is read."""
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, manifest)
    return folder / "manifest.json"
