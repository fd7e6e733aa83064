"""Explaining with a finished run: the same texts as the run wrote, what is told to the model, and clear errors."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from accelerate.state import AcceleratorState
from datasets import Dataset
from explained_dialogues import EMOTIONS, explained_dialogues, write_language_model
from tiny_language_model import language_model, word_tokenizer

from iemomecp_dataset.benchmark.runs import explanation_results
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.faces.table import FaceTable
from iemomecp_dataset.features.frames.store import FrameStoreWriter
from iemomecp_dataset.metrics.evaluation.explanations.predictions import read_explanation_predictions
from iemomecp_dataset.schema import row_features
from iemomecp_dataset.trainers import predict, run_inputs, train
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.explanation import prediction
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

ROWS = explained_dialogues()["test"]
EXPLAINED = {"test0": [3, 4], "test1": [3], "test2": [3], "test3": [3]}
"""The complete explanations of the rows, of which a truncated one of turn 2 is none."""


def bare(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A row without explanations, its emotions as names."""
    utterances = [{**u, "emotion": EMOTIONS[u["emotion"]]} for u in row["utterances"]]
    return {"dialogue_id": row["dialogue_id"], "utterances": utterances, **changes}


def model(**config: Any) -> ExplanationModel:
    made = ExplanationModel.from_parts(
        language_model(), tuning="full", **{k: config.pop(k) for k in ("frame_size", "face_size") if k in config}
    )
    defaults = {"emotion_names": list(EMOTIONS), "context_turns": 3, "chat_template": "tokenizer", "emotion": "gold"}
    for name, value in {**defaults, "causes": "none", **config}.items():
        setattr(made.config, name, value)
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[ExplanationItem]:
    """What the model would read; nothing is generated."""
    items: list[ExplanationItem] = []

    def generate(_: Any, encoder: ExplanationEncoder, given: list[ExplanationItem], **options: Any) -> list[str]:
        items.extend(given)
        return [f"text {number}" for number in range(len(given))]

    monkeypatch.setattr(prediction, "generate_explanations", generate)
    return items


explain = partial(predict, tokenizer=word_tokenizer(), progress=False)


def turns(found: list[list[Any]]) -> dict[str, list[int]]:
    return {of_row[0].dialogue_id: [one.target_turn for one in of_row] for of_row in found if of_row}


def marks(found: list[list[Any]]) -> dict[tuple[str, int], tuple[int, ...]]:
    return {(one.dialogue_id, one.target_turn): one.cause_turns for of_row in found for one in of_row}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with gold marks and predicted emotions off, that writes with beams."""
    folder = tmp_path_factory.mktemp("explained")
    AcceleratorState._reset_state(reset_partial_state=True)
    with pytest.MonkeyPatch.context() as patch:
        build = partial(explanation_results.explanation_run_results, meteor=False)
        patch.setattr(explanation_results, "explanation_run_results", build)
        train(
            explained_dialogues(), task="explanation", emotion_names=EMOTIONS, tuning="full", epochs=1, batch_size=3,
            learning_rate=0.01, max_new_tokens=7, num_beams=2, causes="gold", context_turns=2, quiet=True,
            language_model=str(write_language_model(folder / "model")), output_dir=folder / "run",
        )  # fmt: skip
    return folder / "run"


def test_a_run_explains_what_it_wrote(run: Path, tmp_path: Path) -> None:
    features = row_features(["pair", "non_pair"], EMOTIONS)
    data = Dataset.from_list([{name: row.get(name) for name in features} for row in ROWS], features=features)
    found: Any = predict(run, data, batch_size=2, progress=False)
    written = pq.read_table(run / "explanations_test.parquet").to_pylist()
    flat = [one for of_row in found for one in of_row]
    assert [{name: getattr(one, name) for name in row} for one, row in zip(flat, written, strict=True)] == written
    assert turns(found) == EXPLAINED
    # The first turn, which is the cause, is farther from the fourth than the run's two turns of context.
    assert marks(found) == {("test0", 3): (1,), ("test0", 4): (4,), **{(f"test{n}", 3): (1,) for n in (1, 2, 3)}}
    short: Any = predict(run / "model", data.select([0]), max_new_tokens=1, progress=False)
    assert all(len(one.prediction.split()) <= 1 for one in short[0])
    (tmp_path / "theirs.json").write_text(json.dumps([asdict(one) for one in flat]))
    assert read_explanation_predictions(tmp_path / "theirs.json").predictions == tuple(one.prediction for one in flat)


def test_the_card_runs_as_it_is_written(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path/to/this").mkdir(parents=True)
    (tmp_path / "path/to/this/folder").symlink_to(run / "model")
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", (run / "model" / "README.md").read_text(), flags=re.DOTALL)
    # The corpora with explanations have this emotion, the invented dialogues of this run do not.
    assert program.count('"sadness"') == 1
    program = program.replace('"sadness"', '"anger"')
    names: dict[str, Any] = {}
    exec(compile(program, "card", "exec"), names)
    ((one,),) = names["explanations"]
    assert (one.dialogue_id, one.target_turn, one.emotion, one.cause_turns) == ("example", 2, "anger", (1,))


@pytest.mark.parametrize(
    ("rows", "targets", "expected"),
    [
        # One row with explanations is enough: what is explained then is what has a reference.
        ([ROWS[0], bare(ROWS[1])], None, {"test0": [3, 4]}),
        ([bare(ROWS[0]), bare(ROWS[1])], None, {"test0": [3, 4], "test1": [3, 4]}),
        ([ROWS[0], bare(ROWS[1])], "emotional", {"test0": [3, 4], "test1": [3, 4]}),
        ([ROWS[1], ROWS[0]], "complete", {"test1": [3], "test0": [3, 4]}),
        ([ROWS[0], bare(ROWS[1])], [[2], [4, 1]], {"test0": [2], "test1": [4, 1]}),
        # The target of a gold pair is emotional where emotions are not known.
        (
            [{**bare(ROWS[0]), "pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0},
                                         {"target_turn": 3, "cause_turn": 1, "label": 1}],
              "utterances": [{**u, "emotion": None} for u in ROWS[0]["utterances"]]}],
            None,
            {"test0": [2]},
        ),
    ],
)  # fmt: skip
def test_what_is_explained(rows: Any, targets: Any, expected: Any, told: list[ExplanationItem]) -> None:
    options = {"emotion": "none"} if targets is None and len(rows) == 1 else {}
    found = explain(model(), rows, targets=targets, emotion_names=EMOTIONS, **options)
    assert turns(found) == expected
    assert len(found) == len(rows)
    texts = {(e["target_turn"], row["dialogue_id"]): e["text"] for row in rows for e in row.get("explanations", ())
             if e["status"] == 0}  # fmt: skip
    for number, one in enumerate(one for of_row in found for one in of_row):
        assert one.prediction == f"text {number}"
        assert one.reference == texts.get((one.target_turn, one.dialogue_id)), "a truncated text is no reference"


def test_emotions_by_id_name_and_prediction(told: list[ExplanationItem], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    # Ids of another corpus, whose names the caller gives; a name that the model never saw.
    found = explain(model(), ROWS[:1], emotion_names=["joy", "sadness", "fear"])
    assert [one.emotion for one in found[0]] == ["sadness", "sadness"]
    features = row_features(["pair", "non_pair"], ["joy", "sadness", "fear"])
    data = Dataset.from_list([{name: row.get(name) for name in features} for row in ROWS[:1]], features=features)
    found = explain(model(), data)
    assert [one.emotion for one in found[0]] == ["sadness", "sadness"]
    strange = bare(ROWS[0])
    strange["utterances"][2]["emotion"] = "pride"
    # A name that the model never saw is refused, unless it is told that there is such an emotion.
    with pytest.raises(
        InvalidDataError, match=r"'test0', turn 3: there is no emotion 'pride'\. Known names: neutral, j"
    ):
        explain(model(), [strange])
    found = explain(model(), [strange], emotion_names=[*EMOTIONS, "pride"])
    assert [one.emotion for one in found[0]] == ["pride", "joy"]
    assert [one.emotion for one in explain(model(emotion="none"), [strange])[0]] == [None, None]
    assert not caplog.records
    explain(model(), ROWS[:1])
    assert "read as those that the model was trained on: 0 neutral, 1 joy, 2 anger" in caplog.text
    # Predicted ones are told, and decide what is emotional.
    one_hot = np.eye(3)[[0, 2, 0, 1]]
    found = explain(model(), [bare(ROWS[0])], emotion="predicted", emotions=[one_hot])
    assert [(one.target_turn, one.emotion) for one in found[0]] == [(2, "anger"), (4, "joy")]
    found = explain(model(emotion="none"), [bare(ROWS[0])])
    assert [one.emotion for one in found[0]] == [None, None]


def test_nothing_to_explain_is_said_where_emotions_are_missing(
    told: list[ExplanationItem], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    neutral = bare(ROWS[0])
    neutral["utterances"] = [{**u, "emotion": "neutral"} for u in neutral["utterances"]]
    assert explain(model(), [neutral]) == [[]]
    assert not caplog.records
    neutral["utterances"][1]["emotion"] = None
    assert explain(model(), [neutral], targets=[[]]) == [[]]
    assert not caplog.records
    assert explain(model(), [neutral]) == [[]]
    assert "no utterance has an emotion other than neutral, and 1 have none. Give their 'emotion'" in caplog.text


@pytest.mark.parametrize("text", ["", " ", None])
def test_targets_without_text_are_refused(text: str | None, told: list[ExplanationItem]) -> None:
    silent = bare(ROWS[0])
    silent["utterances"][2]["text"] = text
    with pytest.raises(InvalidDataError, match=r"'test0', turn 3: the utterance to explain has no text\."):
        explain(model(), [silent])
    assert turns(explain(model(), [silent], targets=[[4]])) == {"test0": [4]}
    # What a corpus explains is explained as the run did.
    silent |= {"explanations": ROWS[0]["explanations"]}
    assert turns(explain(model(), [silent])) == {"test0": [3, 4]}


def test_cause_marks(told: list[ExplanationItem], monkeypatch: pytest.MonkeyPatch) -> None:
    gold = [{"target_turn": 4, "cause_turn": 2, "label": 0}]
    row = bare(ROWS[1], pairs=gold, gold_outside_candidates=[{"target_turn": 4, "cause_turn": 3}])
    assert marks(explain(model(causes="gold"), [row])) == {("test1", 3): (), ("test1", 4): (2, 3)}
    assert marks(explain(model(causes="last"), [row])) == {("test1", 3): (2,), ("test1", 4): (3,)}
    assert marks(explain(model(), [row], causes="last")) == {("test1", 3): (2,), ("test1", 4): (3,)}
    assert marks(explain(model(causes="gold"), [row], causes="none")) == {("test1", 3): (), ("test1", 4): ()}
    # What a pair run predicts, for every target or for those of its pairs alone.
    given: list[Any] = []

    def causes_of_rows(scorer: Any, rows: Any) -> dict[tuple[str, int], tuple[int, ...]]:
        given.append(scorer)
        return {("test1", 2): (1,), ("test1", 4): (1, 3)}

    monkeypatch.setattr(prediction, "cause_turns_of_rows", causes_of_rows)
    found = explain(model(causes="predicted"), [row], causes_from="pairs")
    assert marks(found) == {("test1", 3): (), ("test1", 4): (1, 3)}
    found = explain(model(), [row], targets="pairs", causes_from="pairs", causes="predicted")
    assert marks(found) == {("test1", 2): (1,), ("test1", 4): (1, 3)}
    assert marks(explain(model(), [row], targets="pairs", causes_from="pairs")) == {("test1", 2): (), ("test1", 4): ()}
    assert given == ["pairs"] * 3


def test_a_pair_run_that_was_trained_on_the_rows_is_told(
    told: list[ExplanationItem], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[Any] = []

    def shared(folder: Any, rows: list[Any]) -> list[str]:
        given.append((folder, [row["dialogue_id"] for row in rows]))
        return ["It was trained on these."]

    monkeypatch.setattr(prediction, "cause_turns_of_rows", lambda *_: {("test1", 4): (1,)})
    monkeypatch.setattr(run_inputs, "applied_to_own_training", shared)
    caplog.set_level(logging.WARNING)
    explain(model(), [bare(ROWS[1])], causes="predicted", causes_from=Path("pairs"))
    assert (given, caplog.messages) == ([(Path("pairs"), ["test1"])], ["It was trained on these."])


def test_a_pair_scorer_in_memory_gives_causes(told: list[ExplanationItem]) -> None:
    config = DialogueScorerConfig(class_names=["pair", "non_pair"], hidden_size=8, num_heads=2, num_layers=0)
    config.threshold = 0.0
    found = explain(model(), [bare(ROWS[0])], targets="pairs", causes="predicted", causes_from=DialogueScorer(config))
    assert marks(found) == {("test0", turn): tuple(range(max(1, turn - 3), turn + 1)) for turn in (1, 2, 3, 4)}


def test_clips_are_read_counted_and_refused(
    told: list[ExplanationItem], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [u["utterance_id"] for row in ROWS for u in row["utterances"]]
    for name in ("frames", "faces"):
        settings = {"content": "faces"} if name == "faces" else {}
        with FrameStoreWriter(tmp_path / name, size=2, model="random", settings=settings) as store:
            for key in ids:
                store.add(key, np.ones((3, 2)), n_frames=1) if key != "test3_3" else store.add_missing(
                    key, "no_faces" if name == "faces" else "unreadable", "nothing there"
                )
    with pytest.raises(InvalidDataError, match=r"1 of 5 utterances have no frames \(20.0%"):
        explain(model(frame_size=2), ROWS, frames=tmp_path / "frames")
    caplog.set_level(logging.WARNING)
    explain(model(frame_size=2), ROWS, emotion_names=EMOTIONS, frames=tmp_path / "frames", max_missing_features=0.2)
    assert "1 of 5 utterances have no frames" in caplog.text
    # Clips that were examined and have no face are no damage.
    explain(model(face_size=2), ROWS, emotion_names=EMOTIONS, face_features=tmp_path / "faces")
    table = FaceTable(("happy",), ("test0_3",), np.zeros(1, int), np.zeros(1), np.zeros((1, 4)), np.ones((1, 1)),
                      dict.fromkeys(ids, 1))  # fmt: skip
    told.clear()
    explain(model(faces="label"), ROWS, emotion_names=EMOTIONS, faces_table=table)
    assert [item.faces for item in told] == ["faces: A joy 1.0", *[None] * 4]
    damaged = replace(table, missing={"test3_3": "unreadable: nothing there"})
    with pytest.raises(InvalidDataError, match=r"clips of 1 of 5 utterances could not be examined \(20.0%, more than"):
        explain(model(faces="label"), ROWS, faces_table=damaged)
    explain(model(faces="label"), ROWS, emotion_names=EMOTIONS, faces_table=damaged, max_missing_features=0.2)
    with pytest.raises(InvalidDataError, match="vectors have 2 numbers, but the model was trained on 3"):
        explain(model(frame_size=3), ROWS, frames=tmp_path / "frames", max_missing_features=0.2)


UNKNOWN = bare(ROWS[0])
UNKNOWN["utterances"] = [{**u, "emotion": None} for u in UNKNOWN["utterances"]]


@pytest.mark.parametrize(
    ("config", "rows", "options", "error", "message"),
    [
        ({"causes": "gold"}, [bare(ROWS[0])], {}, MissingDataError, "none of the 2 utterances to explain has any"),
        ({"causes": "predicted"}, ROWS, {}, MissingDataError, "causes='predicted' needs causes_from="),
        ({}, ROWS, {"causes_from": "run"}, UsageError, "causes_from= has no effect with causes='none'"),
        ({}, ROWS, {"targets": "pairs"}, MissingDataError, "targets='pairs' needs causes_from="),
        ({"emotion": "predicted"}, ROWS, {}, MissingDataError, "emotion='predicted' needs emotions="),
        ({}, ROWS, {"emotions": []}, UsageError, "emotions= has no effect with emotion='gold'"),
        ({}, [UNKNOWN], {}, MissingDataError, "unknown which utterances are emotional"),
        ({}, [UNKNOWN], {"targets": [[3]]}, MissingDataError, "emotion='gold' needs the 'emotion' of the utterances"),
        ({}, [bare(ROWS[0])], {"targets": "complete"}, MissingDataError, "None of the rows has a complete explanation"),
        ({}, ROWS, {"targets": [[3]]}, InvalidDataError, "targets= has 1 entries for 4 rows"),
        ({}, ROWS[:1], {"targets": [[5]]}, InvalidDataError, r"targets\[0\] must be .* 'test0', from 1 to 4"),
        ({}, ROWS[:1], {"targets": [[3, 3]]}, InvalidDataError, r"different turns"),
        ({}, ROWS[:1], {"targets": "all"}, UsageError, "targets has no value 'all'"),
        ({"causes": "last", "context_turns": 0}, ROWS, {}, UsageError, "causes='last' marks the turn before the ta"),
        ({}, ROWS[:1], {"causes": "golden"}, UsageError, "causes has no value 'golden'"),
        ({}, [*ROWS, ROWS[1]], {}, InvalidDataError, r"rows\[1\] and rows\[4\] have the same dialogue_id, 'test1'"),
        ({}, ROWS, {"emotion_names": ["joy"]}, InvalidDataError, "the emotion 1 is none of 1"),
        ({"frame_size": 2}, ROWS, {}, MissingDataError, "trained with --frames: give frames="),
        ({"face_size": 2}, ROWS, {}, MissingDataError, "trained with --face_features: give face_features="),
        ({"faces": "label"}, ROWS, {}, MissingDataError, "trained with --faces_table: give faces_table="),
        ({}, ROWS, {"frames": "store"}, UsageError, "trained without --frames and uses no frames="),
        ({"shots": 3}, ROWS, {}, UsageError, "puts 3 examples of its train split into each prompt"),
        ({}, ROWS, {"audio": "store"}, UsageError, "writes texts, and audio has no effect"),
        ({}, [{"dialogue_id": "d", "utterances": []}], {}, InvalidDataError, r"rows\[0\] .* at least one utterance"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(
    config: dict[str, Any], rows: Any, options: dict[str, Any], error: type[IemomecpError], message: str,
    told: list[ExplanationItem],
) -> None:  # fmt: skip
    with pytest.raises(error, match=message):
        explain(model(**config), rows, **options)
    assert not told


def test_no_rows_have_no_explanations() -> None:
    assert explain(model(), []) == []


def test_models_of_probabilities_take_no_targets() -> None:
    config = DialogueScorerConfig(class_names=["pair", "non_pair"], hidden_size=8, num_heads=2, num_layers=0)
    with pytest.raises(UsageError, match="gives probabilities, and targets has no effect"):
        predict(DialogueScorer(config), [bare(ROWS[0])], targets=[[3]])
