"""Any single change of valid label files is either harmless by rule or refused; readers raise no errors but ours."""

from __future__ import annotations

import copy
import json
import pickle
import random
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.corpora.mec4 import read_mec4
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.overlay.reading import read_label_file
from iemomecp_dataset.overlay.validation import check_overlay
from iemomecp_dataset.sources.ecpec import read_ecpec
from iemomecp_dataset.sources.full_splits import read_full_split, write_full_splits
from iemomecp_dataset.sources.iemocap_release import read_evaluation, read_transcript

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["emo_cause", "emo_context", "non_pair", "background", "train", "valid", "IEMO-MECP"]),
    st.lists(st.integers(0, 4), max_size=2),
    st.just({}),
)


def places(value, path=()):
    """Yields the path of every value in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(document, path, action, value):
    document = copy.deepcopy(document)
    *parents, last = path
    holder = document
    for key in parents:
        holder = holder[key]
    if action == "replace":
        holder[last] = value
    elif action == "delete":
        del holder[last]
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    else:
        holder["a new field"] = value
    return document


def without_free_text(overlay):
    """The overlay without ids and free text: everything whose change must be detected."""
    return {
        split: [
            replace(
                chunk,
                dialogue_id="",
                pairs=tuple(replace(pair, source=None, taxonomy_label=None) for pair in chunk.pairs),
            )
            for chunk in chunks
        ]
        for split, chunks in overlay.chunks.items()
    }


def is_optional(document, path):
    """Whether the labels alone are valid without a value: a forward pair, or a whole chunk. The merge detects these."""
    value = document
    for key in path:
        value = value[key]
    if not isinstance(value, dict):
        return False
    return "num_utterances" in value or value.get("cause_turn", 0) > value.get("target_emotion_turn", 0)


def test_any_single_mutation_is_harmless_by_rule_or_refused(tree):
    original = json.loads(tree.labels("train").read_text())
    reference, problems = check_overlay(tree.root / "labels")
    assert problems == []
    everywhere = [path for path in places(original) if path]
    seen: Counter[bool] = Counter()

    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(path=st.sampled_from(everywhere), action=st.sampled_from(["replace", "delete", "add"]), value=VALUES)
    def mutate(path, action, value):
        tree.labels("train").write_text(json.dumps(changed(original, path, action, value)))
        overlay, problems = check_overlay(tree.root / "labels")
        seen[not problems] += 1
        if not problems and not (action == "delete" and is_optional(original, path)):
            assert without_free_text(overlay) == without_free_text(reference)

    mutate()
    # The test is meaningful only if both outcomes occurred.
    assert min(seen[True], seen[False]) > 10, seen


def mutated(data: bytes, rng: random.Random) -> bytes:
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not data:
            break
        here, there = rng.randrange(len(data)), rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[here] = rng.randrange(256)
            case 1:
                del data[here : here + rng.randrange(1, 20)]
            case 2:
                data[here:here] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6)))
            case 3:
                data[here:here] = data[there : there + rng.randrange(1, 60)]
            case 4:
                data = data[: max(here, 1)]
            case 5:
                data[here:here] = rng.choice(
                    (b"NaN", b"-1", b"1e400", b"null", b'"', b"[", b"}", b"\r", b"99999999999")
                )
    return bytes(data)


def ecf_text(_):
    first = b"1 | A | joy | Hi . | S: 00:00:01.0 - 00:00:02.0\n"
    return b"1 2\n(2,1),(1,1)\n" + first + b"2 | B | anger | No ! | S: 00:00:02.0 - 00:00:03.0\n"


def ecf_json(_):
    conversation = [{"utterance_ID": n, "text": "Hello .", "speaker": "A", "emotion": "joy"} for n in (1, 2)]
    pairs = [["1_joy", "1"], ["2_joy", "1_Hel"]]
    return json.dumps([{"conversation_ID": 1, "conversation": conversation, "emotion-cause_pairs": pairs}]).encode()


def turn_lists(_):
    entry = {
        "turn": 1,
        "speaker": "A",
        "utterance": "Hi",
        "emotion": "happy",
        "expanded emotion cause evidence": [1, "b"],
    }
    return json.dumps({"d1": [[entry]]}).encode()


def mec4(_):
    return json.dumps([{"dia_id": 1, "dia_len": 2, "text": "1.A：Hi 2.B：No", "pairs": "(2,1)"}]).encode()


def full_split(tree):
    import iemomecp_dataset

    rows = iemomecp_dataset.load(data_dir=tree.root)
    return write_full_splits(rows, tree.root / "full")[0].read_bytes()


def csv_labels(tree):
    pairs = tree.label_pairs("Ses05F_impro03", 1, 2)
    columns = ["split", "dialogue_id", *pairs[0]]
    lines = [",".join(columns)]
    lines += [",".join(["test", "a", *(str(v).replace(",", "|") for v in pair.values())]) for pair in pairs]
    return "\n".join(lines).encode()


READERS = {
    "pickle": (lambda tree: pickle.dumps(tree.pickle_entries(), protocol=2), "x.pkl", read_ecpec),
    "pickle, protocol 0": (lambda tree: pickle.dumps(tree.pickle_entries(), protocol=0), "x.pkl", read_ecpec),
    "pickle, protocol 5": (lambda tree: pickle.dumps(tree.pickle_entries(), protocol=5), "x.pkl", read_ecpec),
    "labels": (lambda tree: tree.labels("test").read_bytes(), "x.json", lambda p: read_label_file(p, "test")),
    "labels, CSV": (csv_labels, "x.csv", lambda p: read_label_file(p, "test")),
    "transcript": (lambda tree: tree.transcript("Ses01F_impro01").read_bytes(), "x.txt", read_transcript),
    "evaluation": (lambda tree: tree.evaluation("Ses01F_impro01").read_bytes(), "x.txt", read_evaluation),
    "ecf": (ecf_text, "x.txt", lambda p: list(read_ecf_text(p))),
    "ecf, JSON": (ecf_json, "x.json", lambda p: list(read_ecf_json(p, Counter()))),
    "reccon": (turn_lists, "x.json", lambda p: list(read_turn_lists(p, "reccon", Counter()))),
    "mec4": (mec4, "x.json", lambda p: list(read_mec4(p))),
    "full split": (full_split, "x.json", read_full_split),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_nothing_but_our_own_errors_escapes(tree, tmp_path, name):
    make, file_name, read = READERS[name]
    original = make(tree)
    path = tmp_path / file_name
    path.write_bytes(original)
    read(path)  # The unmutated file is fine.
    rng = random.Random(name)
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        data = mutated(original, rng)
        path.write_bytes(data)
        try:
            read(path)
            outcomes["read"] += 1
        except IemomecpError as error:
            outcomes["refused" if str(path) in str(error) else "refused without naming the file"] += 1
        except Exception as error:
            pytest.fail(f"{name}: {type(error).__name__}: {error} escaped for {data[:300]!r}")
    assert outcomes.total() > 20
    assert outcomes["refused without naming the file"] == 0
