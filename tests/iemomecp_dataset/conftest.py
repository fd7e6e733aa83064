"""A hand-made tree in the genuine layouts: small enough to check by eye, independent of the synthetic corpus."""

from __future__ import annotations

import json
import pickle
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

EMOTIONS = ["hap", "sad", "neu", "ang", "exc", "fru"]
ROLES = ["emo_cause", "emo_context", "non_pair"]
SUBTYPES = ["background", "discourse_bridge", "implicit_or_extra_context", "alternative_plausible_cause"]
SPLIT_KEYS = {"train": "train", "validation": "valid", "test": "test"}


@dataclass
class Dialogue:
    """A source dialogue: emotions by turn, causes by target turn, and the lengths of its chunks."""

    split: str
    emotions: str  # one letter per turn: h s n a e f
    causes: dict[int, list[int]]
    chunks: list[int]

    def emotion_ids(self) -> list[int]:
        return ["hsnaef".index(letter) for letter in self.emotions]


@dataclass
class Tree:
    """A tree that can be written to disk; tests change fields before writing, or files afterwards."""

    root: Path
    dialogues: dict[str, Dialogue] = field(default_factory=dict)
    n_entries: int = 12
    protocol: int = 2

    @property
    def pickle_path(self) -> Path:
        return self.root / "ECPEC" / "Dataset" / "IEMOCAP_emotion_cause_features.pkl"

    def transcript(self, dialogue: str) -> Path:
        return self.root / "IEMOCAP" / f"Session{dialogue[4]}" / "dialog" / "transcriptions" / f"{dialogue}.txt"

    def evaluation(self, dialogue: str) -> Path:
        return self.root / "IEMOCAP" / f"Session{dialogue[4]}" / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"

    def labels(self, split: str) -> Path:
        return self.root / "labels" / f"{SPLIT_KEYS[split]}.json"

    # --- content ---------------------------------------------------------------------------------------------------

    @staticmethod
    def speaker(turn: int) -> str:
        return "F" if turn % 2 else "M"

    def utterance_id(self, dialogue: str, turn: int) -> str:
        return f"{dialogue}_{self.speaker(turn)}{turn:03d}"

    @staticmethod
    def sentence(dialogue: str, turn: int) -> str:
        return f"Line {turn}, of {dialogue.replace('_', ' ')}."

    @staticmethod
    def times(turn: int) -> tuple[float, float]:
        return turn * 2.0, turn * 2.0 + 1.5

    def role(self, dialogue: str, target: int, cause: int) -> int | None:
        """Role of a pair in source turns; None for a forward pair that is not a candidate."""
        source = self.dialogues[dialogue]
        if cause in source.causes.get(target, []):
            return 0
        if cause > target:
            return None
        # A rule that tests can recompute: two turns before an emotional turn is context.
        return 1 if target - cause == 2 and source.emotions[target - 1] != "n" else 2

    def chunk_spans(self) -> list[tuple[str, str, int, int, int]]:
        """``(split, dialogue, chunk number from 1, first source turn, length)`` in order."""
        spans = []
        for name, dialogue in self.dialogues.items():
            start = 1
            for number, length in enumerate(dialogue.chunks, start=1):
                spans.append((dialogue.split, name, number, start, length))
                start += length
        return spans

    def chunk_id(self, dialogue: str, number: int) -> str:
        return f"{dialogue}__c{number:03d}"

    def label_pairs(self, dialogue: str, start: int, length: int) -> list[dict[str, Any]]:
        pairs = []
        for target in range(1, length + 1):
            for cause in range(1, length + 1):
                role = self.role(dialogue, start + target - 1, start + cause - 1)
                if role is None:
                    continue
                subtypes = [0, 2] if role == 1 else []
                pairs.append(
                    {
                        "target_emotion_turn": target,
                        "cause_turn": cause,
                        "label_id": role,
                        "label": ROLES[role],
                        "source": "default_non_pair" if role == 2 else "human_judge:made_up.csv",
                        "taxonomy_label": "kept as it is" if role == 1 else "",
                        "context_subtype_ids": subtypes,
                        "context_subtypes": [SUBTYPES[i] for i in subtypes],
                    }
                )
        return pairs

    def label_document(self, split: str) -> dict[str, Any]:
        key = SPLIT_KEYS[split]
        return {
            "dataset": "IEMO-MECP",
            "split": key,
            "splits": {
                key: [
                    {
                        "dialogue_id": self.chunk_id(dialogue, number),
                        "num_utterances": length,
                        "pairs": self.label_pairs(dialogue, start, length),
                    }
                    for chunk_split, dialogue, number, start, length in self.chunk_spans()
                    if chunk_split == split
                ]
            },
        }

    def pickle_entries(self) -> tuple[Any, ...]:
        names = list(self.dialogues)
        turns = {name: range(1, len(dialogue.emotions) + 1) for name, dialogue in self.dialogues.items()}

        def causes(rank: int) -> dict[str, list[int]]:
            return {
                name: [[*self.dialogues[name].causes.get(turn, []), 0, 0, 0][rank] for turn in turns[name]]
                for name in names
            }

        head = (
            {name: [self.utterance_id(name, turn) for turn in turns[name]] for name in names},
            {name: [self.speaker(turn) for turn in turns[name]] for name in names},
            {name: self.dialogues[name].emotion_ids() for name in names},
            causes(0),
            causes(1),
            causes(2),
        )
        predicted = tuple({name: [0 for _ in turns[name]] for name in names} for _ in range(self.n_entries - 12))
        features = tuple({name: [[0.5] * 3 for _ in turns[name]] for name in names} for _ in range(3))
        sentences = {name: [self.sentence(name, turn) for turn in turns[name]] for name in names}
        trained = [name for name in names if self.dialogues[name].split != "test"]
        return (*head, *predicted, *features, sentences, trained, [name for name in names if name not in trained])

    # --- files -----------------------------------------------------------------------------------------------------

    def write(self) -> Tree:
        self.write_pickle()
        self.write_labels()
        self.write_iemocap()
        return self

    def write_pickle(self, entries: Any = None) -> None:
        self.pickle_path.parent.mkdir(parents=True, exist_ok=True)
        content = self.pickle_entries() if entries is None else entries
        self.pickle_path.write_bytes(pickle.dumps(content, protocol=self.protocol))

    def write_labels(self) -> None:
        for split in SPLIT_KEYS:
            self.labels(split).parent.mkdir(parents=True, exist_ok=True)
            self.labels(split).write_text(json.dumps(self.label_document(split)), encoding="utf-8")

    def write_iemocap(self) -> None:
        for name, dialogue in self.dialogues.items():
            transcript, evaluation = [], ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
            for turn, emotion in enumerate(dialogue.emotion_ids(), start=1):
                utterance, (start, end) = self.utterance_id(name, turn), self.times(turn)
                transcript.append(f"{utterance} [{start:08.4f}-{end:08.4f}]: {self.sentence(name, turn)}")
                evaluation += [
                    f"[{start:.4f} - {end:.4f}]\t{utterance}\t{EMOTIONS[emotion]}\t[2.5000, 2.5000, 2.5000]",
                    "C-E2:\tNeutral;\t()",
                    "A-E3:\tval 3; act 2; dom  2;\t()",
                    "",
                ]
                wav = self.root / "IEMOCAP" / f"Session{name[4]}" / "sentences" / "wav" / name / f"{utterance}.wav"
                wav.parent.mkdir(parents=True, exist_ok=True)
                with wave.open(str(wav), "wb") as sound:
                    sound.setnchannels(1)
                    sound.setsampwidth(2)
                    sound.setframerate(16000)
                    sound.writeframes(b"\0\0" * 160)
            # Utterances outside the six emotions, which ConvECPE omits.
            transcript += [f"{name}_F900 [090.0000-091.0000]: Not annotated.", "M: no id here", "stray line"]
            for path, lines in ((self.transcript(name), transcript), (self.evaluation(name), evaluation)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def edit_labels(self, split: str, edit: Any) -> None:
        """Applies ``edit`` to the JSON document of a split."""
        document = json.loads(self.labels(split).read_text(encoding="utf-8"))
        edited = edit(document)
        self.labels(split).write_text(json.dumps(document if edited is None else edited), encoding="utf-8")


def default_dialogues() -> dict[str, Dialogue]:
    return {
        # Turn 2 is caused by turn 3: a forward pair. Turn 6 is caused by turn 2, which lies in another chunk.
        "Ses01F_impro01": Dialogue("train", "nhsnafe", {2: [3, 1], 3: [3], 5: [4], 6: [2, 5], 7: [7, 6, 5]}, [3, 4]),
        "Ses01F_script01_1": Dialogue("train", "ffn", {1: [1], 2: [1]}, [3]),
        "Ses02M_impro02": Dialogue("validation", "nae", {2: [1], 3: [3]}, [3]),
        "Ses05F_impro03": Dialogue("test", "shnsn", {1: [1], 2: [1], 4: [3]}, [2, 3]),
    }


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The tree, written to ``tmp_path / "data"``."""
    return Tree(root=tmp_path / "data", dialogues=default_dialogues()).write()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives each test its own cache of Arrow files."""
    import datasets

    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    return cache
