"""The released pickles of MELD and IEMOCAP features: vectors reach their utterances, disagreements are named."""

from __future__ import annotations

import contextlib
import copy
import csv
import pickle
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.commands import extract
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.features import read_card, read_feature_table
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.importers.emotion_pickles import read_emotion_pickle
from iemomecp_dataset.features.importers.importing import import_features
from iemomecp_dataset.synthetic import write_corpus, write_meld
from iemomecp_dataset.synthetic.emotion_features import (
    EmotionalUtterance,
    draw_vectors,
    write_iemocap_pickles,
    write_meld_pickle,
)

MELD = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
IEMOCAP = ("hap", "sad", "neu", "ang", "exc", "fru")
LENGTHS = {
    "train": {"train_dia0": 3, "train_dia2": 1, "train_dia10": 2},
    "validation": {"dev_dia0": 2},
    "test": {"test_dia0": 4},
}
FILES = {
    9: ("IEMOCAP_features.pkl", {"audio": 4, "video": 5}),
    10: ("iemocap_emotion_features_roberta.pkl", {"text": 2}),
    16: ("iemocap_emotion_semantic_features_roberta.pkl", {"text": 2, "event": 6}),
}


def utterances(dialogue: str, length: int, emotions: tuple[str, ...], form: str) -> list[EmotionalUtterance]:
    return [
        EmotionalUtterance(
            form.format(dialogue, n), "FM"[n % 2], f"Words {n} of {dialogue}, don\u2019t", emotions[n], True
        )
        for n in range(length)
    ]


def as_rows(splits: dict[str, dict[str, list[EmotionalUtterance]]], emotions: tuple[str, ...]) -> dict[str, list[dict]]:
    return {
        split: [
            {
                "dialogue_id": key,
                "source_dialogue_id": key,
                "utterances": [
                    {
                        "turn": turn,
                        "source_turn": turn,
                        "utterance_id": said.utterance_id,
                        "text": said.text,
                        "emotion": emotions.index(said.emotion),
                    }
                    for turn, said in enumerate(dialogue, start=1)
                ],
            }
            for key, dialogue in dialogues.items()
        ]
        for split, dialogues in splits.items()
    }


def content_of(path: Path) -> list[Any]:
    return list(pickle.loads(path.read_bytes()))


class Released:
    """Rows in memory, pickles of their features, and the vectors in them by utterance."""

    def __init__(self, folder: Path, *, is_meld: bool) -> None:
        self.is_meld, self.folder = is_meld, folder
        emotions = MELD if is_meld else IEMOCAP
        form = "{}_utt{}" if is_meld else "{}_F{:03d}"
        splits = {
            split: {
                name if is_meld else f"Ses0{1 + n}F_{name}": utterances(
                    name if is_meld else f"Ses0{1 + n}F_{name}", length, emotions, form
                )
                for name, length in lengths.items()
            }
            for n, (split, lengths) in enumerate(LENGTHS.items())
        }
        self.rows = as_rows(splits, emotions)
        everything = {key: said for dialogues in splits.values() for key, said in dialogues.items()}
        self.drawn = draw_vectors(everything, emotions, 0)
        self.ids = {key: [said.utterance_id for said in dialogue] for key, dialogue in everything.items()}
        if not is_meld:
            write_iemocap_pickles(
                folder, everything, list(splits["test"]), list(splits["validation"]), emotions, self.drawn
            )
            return
        # The keys of the release are numbers.
        number = {key: n for n, key in enumerate(everything)}
        write_meld_pickle(
            folder / "meld.pkl",
            {split: {number[key]: said for key, said in part.items()} for split, part in splits.items()},
            {number[key]: [0] * len(said) for key, said in everything.items()},
            emotions,
            {name: {number[key]: rows for key, rows in part.items()} for name, part in self.drawn.items()},
        )

    def expected(self, name: str) -> dict[str, list[float]]:
        return {
            utterance: vector.tolist()
            for key, ids in self.ids.items()
            for utterance, vector in zip(ids, self.drawn[name][key], strict=True)
        }

    def read(self, path: Path, modality: str, **options: Any) -> dict[str, list[float]]:
        found = read_emotion_pickle(path, modality, self.rows, is_meld=self.is_meld, **options)
        assert found is not None
        assert all(vector.dtype == np.float32 for vector in found.values())
        return {key: vector.tolist() for key, vector in found.items()}


@pytest.fixture(scope="module")
def meld(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return Released(tmp_path_factory.mktemp("meld"), is_meld=True)


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return Released(tmp_path_factory.mktemp("iemocap"), is_meld=False)


@pytest.mark.parametrize("modality", ["text", "event", "audio", "video"])
def test_vectors_of_meld_reach_their_utterances(meld: Released, modality: str) -> None:
    assert meld.read(meld.folder / "meld.pkl", modality) == meld.expected(modality)


@pytest.mark.parametrize(("n", "modality"), [(n, modality) for n, (_, has) in FILES.items() for modality in has])
def test_vectors_of_iemocap_reach_their_utterances(iemocap: Released, n: int, modality: str) -> None:
    path = iemocap.folder / FILES[n][0]
    assert len(content_of(path)) == n
    assert iemocap.read(path, modality) == iemocap.expected(modality)


@pytest.mark.parametrize("variant", [2, 3, 4])
@pytest.mark.parametrize("modality", ["text", "event"])
def test_variants(meld: Released, iemocap: Released, modality: str, variant: int) -> None:
    for released, name in ((meld, "meld.pkl"), (iemocap, FILES[16][0])):
        found = released.read(released.folder / name, modality, variant=variant)
        assert found == released.expected(f"{modality}{variant}")


def test_chunks_of_a_dialogue_are_joined(iemocap: Released) -> None:
    rows = copy.deepcopy(iemocap.rows)
    whole = rows["train"][0]
    parts = [
        {**whole, "dialogue_id": f"{n}", "utterances": part}
        for n, part in enumerate((whole["utterances"][2:], whole["utterances"][:2]))
    ]
    rows["train"] = [*parts, *rows["train"][1:]]
    found = read_emotion_pickle(iemocap.folder / FILES[9][0], "audio", rows)
    assert found is not None
    assert {key: vector.tolist() for key, vector in found.items()} == iemocap.expected("audio")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), form=st.sampled_from(["arrays", "rows", "lists"]), protocol=st.integers(0, 4))
def test_the_order_of_keys_and_the_kind_of_container_are_irrelevant(
    meld: Released, iemocap: Released, seed: int, form: str, protocol: int
) -> None:
    rng = random.Random(seed)

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            rng.shuffle(keys)
            return {key: shape(value[key]) for key in keys}
        if isinstance(value, np.ndarray):
            return {"arrays": value, "rows": list(value), "lists": value.tolist()}[form]
        return value

    for released, name, modality in ((meld, "meld.pkl", "video"), (iemocap, FILES[16][0], "text")):
        content = [shape(entry) for entry in content_of(released.folder / name)]
        if not released.is_meld:
            content[13:] = [set(part) for part in content[13:]]
        path = released.folder / "shaped.pkl"
        path.write_bytes(pickle.dumps(tuple(content), protocol=protocol))
        assert released.read(path, modality) == released.expected(modality)


def test_missing_vectors_are_absent_never_zeros(meld: Released, tmp_path: Path) -> None:
    content = content_of(meld.folder / "meld.pkl")
    del content[11][1]
    content[11][0] = [None, *content[11][0][1:]]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(content))
    missing = set(meld.expected("audio")) - set(meld.read(path, "audio"))
    assert missing == {"train_dia2_utt0", "train_dia0_utt0"}


def change(content: list[Any], what: str) -> None:
    """Makes one thing of the MELD pickle wrong; 4 is the key of the dialogue test_dia0."""
    if what == "length":
        content[1][4] = content[1][4][:-1]
    elif what == "sentences":
        content[13][4] = [*content[13][4], "one more"]
    elif what == "label":
        content[1][4][2] = 6
    elif what == "sentence":
        content[13][4][1] = "Quite other words"
    elif what == "order":
        content[14] = [content[14][2], content[14][1], content[14][0]]
    elif what == "keys":
        content[15] = [*content[15], 0]
    elif what == "unknown key":
        content[15] = [99]
    elif what == "vectors":
        content[11][4] = content[11][4][:-1]
    elif what == "width":
        content[11][4] = [*content[11][4][:-1], np.ones(5, np.float32)]
    elif what == "words":
        content[11][4] = ["a", "b", "c", "d"]
    elif what == "no dictionary":
        content[11] = [1, 2]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("length", r"dialogue test_dia0: the file has 3 labels, the corpus 4 utterances"),
        ("sentences", r"dialogue test_dia0: the file has 5 sentences, the corpus 4 utterances"),
        ("label", r"dialogue test_dia0, turn 3: the label 6 of the file differs from that of the corpus, 2\."),
        ("sentence", r"dialogue test_dia0, turn 2: the sentence of the file differs from that of the corpus"),
        ("order", r"dialogue train_dia0: the file has 2 labels, the corpus 3 utterances"),
        ("keys", r"entry 15: it lists 2 test dialogues, and the corpus has 1"),
        ("unknown key", r"no labels or no sentences of dialogue test_dia0 \(key 99\)"),
        ("vectors", r"dialogue test_dia0: expected 4 audio vectors, found 3"),
        ("width", r"dialogue test_dia0, turn 4: the audio vector has 5 numbers, that of turn 1 of .*train_dia0 has 16"),
        ("words", r"dialogue test_dia0: expected audio vectors of numbers"),
        ("no dictionary", r"entry 11: expected the audio vectors as a dictionary by dialogue, found list"),
    ],
)
def test_a_disagreement_with_the_corpus_is_named(meld: Released, tmp_path: Path, what: str, message: str) -> None:
    content = content_of(meld.folder / "meld.pkl")
    change(content, what)
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(content)))
    with pytest.raises(InvalidDataError, match=message) as caught:
        meld.read(path, "audio")
    assert "Quite other words" not in str(caught.value)


def test_sentences_may_differ_in_quotes_and_encoding(meld: Released, tmp_path: Path) -> None:
    content = content_of(meld.folder / "meld.pkl")
    content[13] = {key: [s.replace("\u2019", "\u00e2\u0080\u0099") for s in part] for key, part in content[13].items()}
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(content)))
    assert meld.read(path, "audio") == meld.expected("audio")


def test_other_utterance_ids_are_named(iemocap: Released, tmp_path: Path) -> None:
    content = content_of(iemocap.folder / FILES[9][0])
    key = next(iter(content[0]))
    content[0][key][0] += "x"
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(content)))
    with pytest.raises(InvalidDataError, match=rf"dialogue {key}, turn 1: the utterance id '.*x' of the file differs"):
        iemocap.read(path, "audio")


@pytest.mark.parametrize(
    ("error", "file", "modality", "variant", "message"),
    [
        (InvalidDataError, "meld.pkl", "text", 1, "expected features of IEMOCAP.* found 17 entries, as .* MELD have"),
        (UsageError, FILES[9][0], "text", 1, r"has no text vectors but audio and video; .* 10 \(iemocap_emotion"),
        (UsageError, FILES[16][0], "audio", 1, "has no audio vectors but text and event"),
        (UsageError, FILES[9][0], "audio", 2, "has 1 variants of audio vectors, so there is no --variant 2"),
    ],
)
def test_the_wrong_file(
    meld: Released, iemocap: Released, error: type, file: str, modality: str, variant: int, message: str
) -> None:
    folder = meld.folder if file == "meld.pkl" else iemocap.folder
    with pytest.raises(error, match=message):
        iemocap.read(folder / file, modality, variant=variant)
    if file != "meld.pkl":
        with pytest.raises(InvalidDataError, match="expected features of MELD, 17 entries"):
            meld.read(folder / file, modality)


def test_convecpe_is_told_from_the_16_entries_of_iemocap(iemocap: Released, tmp_path: Path) -> None:
    for n in (12, 16):
        path = tmp_path / "x.pkl"
        path.write_bytes(pickle.dumps(({"Ses01F_impro01": ["Ses01F_impro01_F000"]}, *[{}] * (n - 1))))
        assert read_emotion_pickle(path, "audio", iemocap.rows) is None


@pytest.mark.parametrize("as_lists", [False, True])
def test_memory_stays_below_three_times_the_vectors(tmp_path: Path, as_lists: bool) -> None:
    dialogues = {key: utterances(f"train_dia{key}", 7, MELD, "{}_utt{}") for key in range(100)}
    rows = as_rows({"train": {f"train_dia{key}": said for key, said in dialogues.items()}}, MELD)
    rng = np.random.default_rng(0)

    def wide() -> dict[int, Any]:
        drawn = {key: rng.normal(size=(7, 512)).astype(np.float32) for key in dialogues}
        return {key: value.tolist() for key, value in drawn.items()} if as_lists else drawn

    vectors = dict.fromkeys(("text", "text2", "text3", "text4", "event", "event2", "event3", "event4"), wide())
    vectors |= {"event": wide(), "audio": wide(), "video": wide()}
    path = tmp_path / "x.pkl"
    write_meld_pickle(path, {"train": dialogues}, {key: [0] * 7 for key in dialogues}, MELD, vectors)
    kept = 700 * 512 * 4
    tracemalloc.start()
    found = read_emotion_pickle(path, "event", rows, is_meld=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert len(found) == 700
    assert peak < 3 * kept


# --- the synthetic trees, and the command -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iemocap_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("synthetic") / "data", features=True).data_dir


@pytest.mark.parametrize(("n", "modality"), [(10, "text"), (16, "event")])
def test_the_command_makes_a_store_of_the_synthetic_pickles(
    iemocap_dir: Path, tmp_path: Path, n: int, modality: str
) -> None:
    pickled = iemocap_dir / "features" / FILES[n][0]
    arguments = ["--data-dir", iemocap_dir, "--modality", modality, "--output-dir", tmp_path / "store"]
    extract.main([*map(str, arguments), "--import-from", str(pickled)])
    table = read_feature_table(tmp_path / "store")
    written = read_feature_table(iemocap_dir / f"features/{modality}.parquet")
    ids = list(table.place_of)
    assert ids
    assert table.digest(ids) == written.digest(ids)
    assert read_card(tmp_path / "store").modality == modality


def test_a_disagreement_writes_nothing(iemocap_dir: Path, tmp_path: Path) -> None:
    content = content_of(iemocap_dir / "features" / FILES[10][0])
    key = next(iter(content[1]))
    content[1][key][0] = (content[1][key][0] + 1) % 6
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(tuple(content)))
    options = ExtractionOptions(str(iemocap_dir), "text", str(tmp_path / "store"))
    with pytest.raises(InvalidDataError, match=f"dialogue {key}, turn 1: the label"):
        import_features(options, [path])
    assert not (tmp_path / "store").exists()


def test_the_synthetic_meld_gives_its_own_stores(tmp_path: Path) -> None:
    folder = write_meld(tmp_path / "meld", dialogues={"train": 5, "validation": 2, "test": 3})
    splits: dict[str, dict[str, list[EmotionalUtterance]]] = {}
    for split, prefix in (("train", "train"), ("validation", "dev"), ("test", "test")):
        splits[split] = {}
        with (folder / f"{prefix}_sent_emo.csv").open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                key = f"{prefix}_dia{line['Dialogue_ID']}"
                said = (f"{key}_utt{line['Utterance_ID']}", line["Speaker"], line["Utterance"], line["Emotion"])
                splits[split].setdefault(key, []).append(EmotionalUtterance(*said, expressed=True))
    for modality in ("text", "event", "audio", "video"):
        found = read_emotion_pickle(
            folder / "meld_emotion_semantic_features_roberta.pkl", modality, as_rows(splits, MELD), is_meld=True
        )
        assert found is not None
        written = read_feature_table(folder / f"features/{modality}.parquet").select(found, tolerance=0)
        assert found.keys() == {said.utterance_id for part in splits.values() for d in part.values() for said in d}
        assert all(np.array_equal(vector, written[key]) for key, vector in found.items())


def in_itself(levels: int) -> list[Any]:
    """A list that holds the list before twice, and so on."""
    value: list[Any] = [1.0]
    for _ in range(levels):
        value = [value, value]
    return value


ODD: list[Any] = [
    None, 3, "x", [], {}, [[]], "²", "9" * 5000, 10**400, float("nan"), {"²": 1, "9" * 5000: 2, 10**5000: 3}, [None],
    in_itself(60), in_itself(8), np.array(3), np.array([], dtype=np.float32), np.array(["²"]), {(1, 2): 3},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{type(odd).__name__} {str(odd)[:9] if type(odd) is str else ''}")
def test_other_values_are_refused_in_words(meld: Released, iemocap: Released, odd: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    for released, name, modality, entries in (
        (meld, "meld.pkl", "text", (1, 3, 13, 14)),
        (iemocap, FILES[9][0], "audio", (0, 2, 4, 6)),
    ):
        for number in entries:
            content = content_of(released.folder / name)
            whole, content[number] = content[number], odd
            within = dict.fromkeys(whole, odd) if isinstance(whole, dict) else [odd] * len(whole)
            for changed in (odd, within):
                content[number] = changed
                path.write_bytes(pickle.dumps(tuple(content)))
                with contextlib.suppress(IemomecpError):
                    released.read(path, modality)
