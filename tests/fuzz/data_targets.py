"""Targets that read data: labels, IEMOCAP, ConvECPE, the other corpora, conversations and feature stores."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import io
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus_files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzzing import Target

from iemomecp_dataset.corpora.metadata import emotions_of_config, pair_classes
from iemomecp_dataset.find_sources import find_inputs
from iemomecp_dataset.options import load_options
from iemomecp_dataset.schema import row_features

__all__ = ["DATA_TARGETS"]

TESTS = Path(__file__).resolve().parents[1]


# --- rows of a configuration -----------------------------------------------------------------------------------------


def rows_of(config: str, **options: Any) -> Callable[[Path], Any]:
    """A reader of a configuration's rows, as they go into the Arrow file."""

    def read(folder: Path) -> Any:
        given = {name: folder / value if name.endswith("_root") else value for name, value in options.items()}
        if "full_root" in given:
            given["label_dir"] = folder / "labels"
        else:
            given["data_dir"] = folder
        inputs = find_inputs(load_options(config, given))
        loaded = inputs.read()
        features, schema = _features(config, tuple(loaded.rows))
        encoded = {
            split: pa.Table.from_pylist([features.encode_example(row) for row in rows], schema=schema).to_pylist()
            for split, rows in loaded.rows.items()
        }
        return encoded, dict(loaded.counts)

    return read


@functools.cache
def _features(config: str, splits: tuple[str, ...]) -> Any:
    features = row_features(pair_classes(config), emotions_of_config(config, "corpus", splits))
    return features, features.arrow_schema


def check_rows(value: Any) -> None:
    """Checks what the schema says of rows: turns count from 1, pairs lie inside, ids are there and differ."""
    encoded, _ = value
    for rows in encoded.values():
        ids = [row["dialogue_id"] for row in rows]
        assert len(set(ids)) == len(ids), "a dialogue twice"
        for row in rows:
            spoken = row["utterances"]
            turns = list(range(1, len(spoken) + 1))
            assert row["dialogue_id"], "a dialogue without an id"
            assert spoken, "a dialogue without utterances"
            assert [utterance["turn"] for utterance in spoken] == turns
            places = [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"]]
            assert places == sorted(set(places)), "pairs repeat or are out of order"
            assert all(target in turns and cause in turns for target, cause in places), "a pair outside"
            for utterance in spoken:
                assert utterance["text"] is None or isinstance(utterance["text"], str)
                start, end = utterance["start"], utterance["end"]
                assert start is None or end is None or 0 <= start < 1e6, f"start {start}"
                assert end is None or 0 <= end < 1e6, f"end {end}"


def _tree_class() -> Any:
    """The hand-made tree of tests/iemomecp_dataset/conftest.py."""
    name = "hand_made_tree"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / "iemomecp_dataset/conftest.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def _tree(folder: Path, **changes: Any) -> Any:
    made = _tree_class()
    return made.Tree(root=folder, dialogues=made.default_dialogues(), **changes).write()


def _labels(folder: Path) -> None:
    tree = _tree(folder / "tree")
    (tree.root / "labels").rename(folder / "labels")
    import shutil

    shutil.rmtree(folder / "tree")


def _labels_under_other_names(folder: Path) -> None:
    """The same labels with the other names of the fields that files have, and ids that are numbers."""
    names = {"target_emotion_turn": "emotion_turn", "cause_turn": "candidate_cause_turn"}
    _labels(folder)
    for number, path in enumerate(sorted((folder / "labels").glob("*.json"))):
        document = json.loads(path.read_text(encoding="utf-8"))
        for dialogues in document["splits"].values():
            for place, dialogue in enumerate(dialogues):
                dialogue["doc_id"] = str(100 * number + place)
                del dialogue["dialogue_id"]
                dialogue["pairs"] = [{names.get(k, k): v for k, v in pair.items()} for pair in dialogue["pairs"]]
        path.write_text(json.dumps(document), encoding="utf-8")


def _labels_as_csv(folder: Path, single: bool) -> None:
    """The same labels as flat CSV files, one or three."""
    import csv

    _labels(folder)
    parts = {}
    for path in sorted((folder / "labels").glob("*.json")):
        ((split, dialogues),) = json.loads(path.read_text())["splits"].items()
        parts[path.stem] = [
            {
                "split": split,
                "dialogue_id": dialogue["dialogue_id"],
                "num_utterances": dialogue["num_utterances"],
                **pair,
                "context_subtype_ids": pair["context_subtype_ids"],
                "context_subtypes": "|".join(pair["context_subtypes"]),
            }
            for dialogue in dialogues
            for pair in dialogue["pairs"]
        ]
        path.unlink()
    if single:
        parts = {"all_labels": [row for rows in parts.values() for row in rows]}
    for stem, rows in parts.items():
        with open(folder / "labels" / f"{stem}.csv", "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _full(folder: Path) -> None:
    """Full split JSON as the released artifact has it, beside its labels."""
    from iemomecp_dataset.sources.full_splits import write_full_splits

    tree = _tree(folder / "tree")
    rows = find_inputs(load_options("3class", {"data_dir": tree.root})).read().rows
    import datasets

    features = row_features(pair_classes("3class"), emotions_of_config("3class"))
    encoded = {split: datasets.Dataset.from_list(found, features=features) for split, found in rows.items()}
    write_full_splits(datasets.DatasetDict(encoded), folder / "full")
    (tree.root / "labels").rename(folder / "labels")
    import shutil

    shutil.rmtree(folder / "tree")


def _pickle(folder: Path, protocol: int) -> None:
    made = _tree_class()
    tree = made.Tree(root=folder / "tree", dialogues=made.default_dialogues())
    path = folder / "ECPEC" / "Dataset" / "IEMOCAP_emotion_cause_features.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(tree.pickle_entries(), protocol=protocol))


def _read_pickle(folder: Path) -> Any:
    from iemomecp_dataset.sources.ecpec import find_ecpec, read_ecpec

    return read_ecpec(find_ecpec(folder / "ECPEC"))


# --- other corpora ---------------------------------------------------------------------------------------------------


def _three(write: Callable[[Path, str, int], object]) -> Callable[[Path], None]:
    def written(folder: Path) -> None:
        for number, split in enumerate(("train", "dev", "test")):
            write(folder, split, number)

    return written


def _ecem(folder: Path) -> None:
    def item(number: int, video: str, text: str, answer: str, emotion: str, speaker: str) -> dict[str, Any]:
        asked = f"<video>\nExplain why the emotion of this statement is {emotion} <{speaker}: {text}>"
        turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
        return {"id": number, "video": video, "conversations": turns}

    items = [
        item(0, "0_1.mp4", 'So "they" say?', "The reason is that it rains.", "surprise", "Bob and Ann"),
        item(1, "0_0.mp4", "More rain, and a storm.", "The reason", "joy", "Ann"),
        item(2, "t_0_2.mp4", "So they SAY", "It was \u00e2\u0080\u009cloud\u00e2\u0080?.", "anger", "Bob and Ann"),
        item(3, "2_0.mp4", "Hello", "-1", "fear", "All"),
    ]
    corpus_files.write(folder / "train_data_just_reason.json", items)
    for part in ("train", "test"):
        corpus_files.write(folder / f"{part}_sent_emo.csv", corpus_files.meld_csv())


def _ecgf(folder: Path) -> None:
    spoken = [
        {"utterance_ID": 1, "text": "The rain is over.", "speaker": "Ann", "emotion": "joy", "cause": "It got dry."},
        {"utterance_ID": 2, "text": "Yes.", "speaker": "Bob", "emotion": "neutral", "cause": "There is no cause."},
        {"utterance_ID": 3, "text": "It is back.", "speaker": "Bob", "emotion": "sad", "cause": " "},
    ]
    for number, split in enumerate(("train", "dev", "test"), start=1):
        corpus_files.write(folder / f"{split}.json", [{"conversation_ID": number, "conversation": spoken}])


def _mec4_lines(folder: Path, split: str, number: int) -> None:
    rows = [*corpus_files.mec4(f"{split}1"), *corpus_files.mec4(f"{split}2")]
    corpus_files.write(folder / "MEC4_text" / f"{split}.json", "\n".join(json.dumps(row) for row in rows))


_SPLIT_OF_TURN_LISTS = {"train": "train", "dev": "valid", "test": "test"}

CORPORA = [
    Target(
        "corpus ecf txt",
        _three(lambda f, s, n: corpus_files.write(f / f"{s}.txt", corpus_files.ecf_text(10 * n + 7))),
        rows_of("ecf"),
        {"*.txt": "lines"},
        check_rows,
    ),
    Target(
        "corpus ecf json",
        _three(lambda f, s, n: corpus_files.write(f / f"{s}.json", corpus_files.ecf_json_with_clips(10 * n + 7))),
        rows_of("ecf"),
        {"*.json": "json"},
        check_rows,
    ),
    Target(
        "corpus ecf by dialogue",
        _three(lambda f, s, n: corpus_files.write(f / f"{s}.json", corpus_files.ecf_by_dialogue(10 * n + 7))),
        rows_of("ecf"),
        {"*.json": "json"},
        check_rows,
    ),
    Target(
        "corpus mecad",
        _three(
            lambda f, s, n: corpus_files.write(
                f / f"{_SPLIT_OF_TURN_LISTS[s]}_data_pair.json", corpus_files.turn_lists(f"{s}1", "happy")
            )
        ),
        rows_of("mecad"),
        {"*.json": "json"},
        check_rows,
    ),
    Target(
        "corpus reccon",
        _three(
            lambda f, s, n: corpus_files.write(
                f / f"dailydialog_{_SPLIT_OF_TURN_LISTS[s]}.json", corpus_files.turn_lists(f"{s}1", "happiness")
            )
        ),
        rows_of("reccon"),
        {"*.json": "json"},
        check_rows,
    ),
    Target(
        "corpus mec4",
        _three(lambda f, s, n: corpus_files.write(f / "MEC4_text" / f"{s}.json", corpus_files.mec4(f"{s}1"))),
        rows_of("mec4"),
        {"*.json": "json"},
        check_rows,
    ),
    Target("corpus mec4 lines", _three(_mec4_lines), rows_of("mec4"), {"*.json": "jsonl"}, check_rows),
    Target(
        "corpus meld",
        _three(lambda f, s, n: corpus_files.write(f / f"{s}_sent_emo.csv", corpus_files.meld_csv(3 * n))),
        rows_of("meld"),
        {"*.csv": "lines"},
        check_rows,
    ),
    Target("corpus ecem", _ecem, rows_of("ecem"), {"*.json": "json", "*.csv": "lines"}, check_rows),
    Target("corpus ecgf", _ecgf, rows_of("ecgf"), {"*.json": "json"}, check_rows),
]


# --- conversations ---------------------------------------------------------------------------------------------------

CONVERSATIONS = {
    "chat.txt": "[00:00:01] Ana: We missed the train.\n[00:00:03.5] Ben: Oh no!\n\n"
    "[00:01:07] Ana: It is raining: again.\n",
    "chat.json": json.dumps(
        [
            {"speaker": "Ana", "text": "We missed it.", "start": 1.0, "end": 2.5, "emotion": "sad"},
            {"speaker": "Ben", "text": "Oh no!", "start": "00:00:03", "end": 4},
        ]
    ),
    "several.json": json.dumps(
        {
            "conversations": [
                {"dialogue_id": "a", "utterances": [{"speaker": "Ana", "text": "Hi."}]},
                {"dialogue_id": "b", "utterances": [["Ben", "No."], ["Ana", "Yes."]]},
            ]
        }
    ),
    "chat.jsonl": "\n".join(
        json.dumps({"speaker": s, "text": t}) for s, t in (("Ana", "We missed it."), ("Ben", "Oh no!"))
    )
    + "\n",
    "chat.csv": 'speaker,text,start,end\nAna,"We missed it, again.",1.0,2.5\nBen,"So ""they"" say",3,4\n',
    "chat.tsv": "Speaker\tUtterance\nAna\tWe missed it.\nBen\tOh no!\n",
    "chat.srt": "1\n00:00:01,000 --> 00:00:02,500\nAna: We missed it.\n\n"
    "2\n00:00:03,000 --> 00:00:04,000\nBen: Oh no!\n",
    "chat.vtt": "WEBVTT\n\nNOTE made up\n\n1\n00:01.000 --> 00:02.500 align:start\n<v Ana>We missed it.</v>\n\n"
    "00:00:03.000 --> 00:00:04.000\nBen: Oh <i>no</i>!\n",
}


def _conversation(name: str) -> Target:
    from iemomecp_dataset.conversations.reading import read_conversation_file

    kind = {"json": "json", "jsonl": "jsonl"}.get(name.rpartition(".")[2], "lines")
    return Target(
        f"conversation {name}",
        lambda folder: (folder / name).write_text(CONVERSATIONS[name], encoding="utf-8"),
        lambda folder: read_conversation_file(folder / name),
        {name: kind},
        _check_conversations,
    )


_MANY = [
    {"dialogue_id": "a", "utterances": [{"speaker": "Ana", "text": "Hi.", "start": 1.0}], "topic": "trains"},
    {"dialogue_id": None, "utterances": [{"speaker": "Ben", "text": "No."}, {"speaker": "Ana", "text": "Yes."}]},
    {"dialogue_id": "c", "utterances": [{"speaker": "Zoë", "text": "李雷!"}]},
]


def _streamed_lines(folder: Path) -> None:
    (folder / "talks.jsonl").write_text("\n".join(map(json.dumps, _MANY)), encoding="utf-8")


def _streamed_rows(folder: Path) -> None:
    pq.write_table(pa.Table.from_pylist(_MANY), folder / "talks.parquet", row_group_size=2)


def _read_streamed(folder: Path) -> Any:
    """Every record twice: in a row, and by its place."""
    from iemomecp_dataset.conversations.streaming import open_records

    found: list[Any] = []
    for path in sorted(folder.glob("talks.*")):
        file = open_records(path)
        try:
            for record in list(file.records()):
                if record.error is not None:
                    raise record.error
                assert file.record_at(record.number, record.offset) == record
                found += record.conversations
        finally:
            file.close()
    return found


def _check_streamed(found: Any) -> None:
    for conversation in found:
        _check_conversations([conversation])


def _check_conversations(found: Any) -> None:
    assert found
    assert len({conversation.name for conversation in found}) == len(found)
    for conversation in found:
        assert conversation.utterances
        for spoken in conversation.utterances:
            f"{spoken.speaker}{spoken.text}{conversation.name}".encode()
            assert spoken.speaker
            assert len(spoken.text.splitlines()) == 1, "a text of several lines"


def _several(name: str) -> str:
    return json.dumps(json.loads(CONVERSATIONS["several.json"])["conversations"])


CONVERSATIONS["several.json"] = _several("several.json")


# --- features --------------------------------------------------------------------------------------------------------


def _store(folder: Path) -> None:
    from two_dialogues import write_store, write_vectors

    write_vectors(folder)
    write_store(folder / "store", "audio", folder / "features" / "audio.parquet")
    import shutil

    shutil.rmtree(folder / "features")


def _adapt_index(files: dict[str, bytes]) -> None:
    """Writes size and digest of the shards, as they are now, into the index."""
    from iemomecp_dataset.features.store.store_index import SHARDS_KEY
    from iemomecp_dataset.features.store.store_layout import INDEX_NAME

    index = f"store/{INDEX_NAME}"
    try:
        table = pq.read_table(io.BytesIO(files[index]))
        shards = json.loads(table.schema.metadata[SHARDS_KEY])
        for shard in shards:
            content = files[f"store/{shard['name']}"]
            shard.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        sink = io.BytesIO()
        metadata = {**table.schema.metadata, SHARDS_KEY: json.dumps(shards).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), sink)
        files[index] = sink.getvalue()
    except Exception:  # damaged itself
        return


def _read_store(folder: Path) -> Any:
    from iemomecp_dataset.features.store.feature_store import open_store

    return _table(open_store(folder / "store"))


def _read_features(folder: Path) -> Any:
    from iemomecp_dataset.features.store.feature_store import read_feature_table

    return _table(read_feature_table(folder / "audio.parquet"))


def _table(table: Any) -> Any:
    fields = {f.name: getattr(table, f.name) for f in dataclasses.fields(table)}
    return {name: [np.array(m) for m in value] if name == "matrices" else value for name, value in fields.items()}


def _cached_rows(folder: Path) -> None:
    from iemomecp_dataset.cached_rows import write_digests

    with pa.OSFile(str(folder / "rows-train.arrow"), "wb") as sink:
        table = pa.table({"dialogue_id": ["a", "b"], "turns": [1, 2]})
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    (folder / "dataset_info.json").write_text('{"splits": {"train": 2}}', encoding="utf-8")
    write_digests(folder)


def _read_cached_rows(folder: Path) -> Any:
    from iemomecp_dataset.cached_rows import DIGESTS_FILE, damage_of
    from iemomecp_dataset.errors import InvalidDataError

    if damage := damage_of(folder):
        raise InvalidDataError(f"{folder}: {damage}")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != DIGESTS_FILE)
    return {path.name: path.read_bytes() for path in paths}


def _feature_table(folder: Path) -> None:
    vectors = pa.array([[1.0, 2.0], None, [5.0, 6.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"utterance_id": ["a", "b", "c"], "vector": vectors}), folder / "audio.parquet")


DATA_TARGETS = [
    Target("labels json", _labels, rows_of("overlay"), {"*.json": "json"}, check_rows),
    Target("labels other names", _labels_under_other_names, rows_of("overlay"), {"*.json": "json"}, check_rows),
    Target("labels csv", lambda f: _labels_as_csv(f, single=False), rows_of("overlay"), {"*.csv": "lines"}, check_rows),
    Target(
        "labels one csv", lambda f: _labels_as_csv(f, single=True), rows_of("overlay"), {"*.csv": "lines"}, check_rows
    ),
    Target("iemocap transcripts", _tree, rows_of("3class"), {"*transcriptions/*.txt": "lines"}, check_rows),
    Target("iemocap evaluations", _tree, rows_of("3class"), {"*EmoEvaluation/*.txt": "lines"}, check_rows),
    Target("iemocap labels", _tree, rows_of("3class"), {"labels/*.json": "json"}, check_rows),
    Target("iemocap pickle", _tree, rows_of("iemocap"), {"*.pkl": "pickle"}, check_rows),
    Target("ecpec pickle", lambda f: _pickle(f, 2), _read_pickle, {"*.pkl": "pickle"}),
    Target("ecpec pickle 5", lambda f: _pickle(f, 5), _read_pickle, {"*.pkl": "pickle"}),
    Target("full splits", _full, rows_of("3class", full_root="full"), {"full/*.json": "json"}, check_rows),
    *CORPORA,
    *map(_conversation, CONVERSATIONS),
    Target("streamed lines", _streamed_lines, _read_streamed, {"*.jsonl": "jsonl"}, _check_streamed),
    Target("streamed rows", _streamed_rows, _read_streamed, {"*.parquet": "parquet"}, _check_streamed),
    Target(
        "feature store",
        _store,
        _read_store,
        {"*.safetensors": "safetensors", "*.parquet": "parquet", "*.json": "json"},
        repair=_adapt_index,
        sealed=("store/*.safetensors",),
    ),
    Target("cached rows", _cached_rows, _read_cached_rows, {"*": "bytes"}, sealed=("*.arrow", "*.json")),
    Target("feature table", _feature_table, _read_features, {"*.parquet": "parquet"}),
]
