"""``export``: explanations as conversations, in the prompts of this package's own trainer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from explained_dialogues import EMOTIONS, SIZES, explained_dialogues

import iemomecp_dataset.commands.export
import iemomecp_dataset.corpus
from iemomecp_dataset.command_line import OptionParser
from iemomecp_dataset.commands.export import ConversationOptions, main
from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.synthetic import write_ecem
from iemomecp_dataset.trainers.explanation.items import explanation_items
from iemomecp_dataset.trainers.explanation.options import ExplanationDataOptions, ExplanationModelOptions
from iemomecp_dataset.trainers.explanation.prompts import SYSTEM_MESSAGE, user_message
from iemomecp_dataset.trainers.options import SharedRun


@pytest.fixture(name="corpus")
def fixture_corpus(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Dialogues in memory in place of a folder; the loader's arguments, and what it returns."""
    held: dict[str, Any] = {
        "corpus": corpus_of(explained_dialogues(), config_name="ecem", emotion_names=EMOTIONS, synthetic=False)
    }

    def load(name: str, data_dir: Path, **options: Any) -> Any:
        held["loaded"] = (name, data_dir, options)
        return held["corpus"]

    monkeypatch.setattr(iemomecp_dataset.corpus, "load_corpus", load)
    return held


def export(folder: Path, *options: str) -> None:
    main(["--data_dir", "x", "--output_dir", str(folder), *options])


def chat_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ((), {}),
        (("--context_turns", "1", "--emotion", "none"), {"context_turns": 1, "emotion": "none"}),
        (("--causes", "gold"), {"causes": "gold"}),
        (("--causes", "last"), {"causes": "last"}),
        (("--causes", "shuffled", "--seed", "7"), {"causes": "shuffled", "seed": 7}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_chat_has_the_prompt_and_the_answer_of_every_item(
    corpus: dict[str, Any], tmp_path: Path, options: tuple[str, ...], same: dict[str, Any]
) -> None:
    export(tmp_path, *options)
    assert {path.name for path in tmp_path.iterdir()} == {f"{split}.jsonl" for split in SIZES}
    for split, rows in corpus["corpus"].rows.items():
        assert chat_lines(tmp_path / f"{split}.jsonl") == [
            {
                "messages": [
                    {"role": "system", "content": SYSTEM_MESSAGE},
                    {"role": "user", "content": user_message(item, has_video=False)},
                    {"role": "assistant", "content": item.reference},
                ]
            }
            for item in explanation_items(rows, EMOTIONS, **same)
        ]


def test_llava_has_a_clip_and_two_messages(corpus: dict[str, Any], tmp_path: Path) -> None:
    rows = corpus["corpus"].rows["train"]
    rows[0]["utterances"][2]["video"] = "clips/train/dia0_utt7.mp4"
    export(tmp_path, "--format", "llava", "--causes", "gold")
    found = json.loads((tmp_path / "train.json").read_text(encoding="utf-8"))
    assert [(one["id"], one["video"]) for one in found[:3]] == [
        ("train0_3", "dia0_utt7.mp4"),
        ("train0_4", "train0_4.mp4"),
        ("train1_3", "train1_3.mp4"),
    ]
    assert [one["conversations"] for one in found] == [
        [{"from": "human", "value": user_message(item, has_video=True)}, {"from": "gpt", "value": item.reference}]
        for item in explanation_items(rows, EMOTIONS, causes="gold")
    ]
    assert all(one["conversations"][0]["value"].startswith("<video>\n") for one in found)


def test_counts_are_printed_and_whose_text_it_is(
    corpus: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del corpus["corpus"].rows["train"][1]["explanations"][0]["cause_turns"][:]
    corpus["corpus"].rows["train"][2]["utterances"][2]["emotion"] = None
    for row in corpus["corpus"].rows["validation"]:
        row["explanations"] = []
    export(tmp_path, "--causes", "gold")
    lines = capsys.readouterr().out.splitlines()
    train = tmp_path / "train.jsonl"
    assert lines[1] == f"{train}: 7 conversations (1 without an emotion, 1 without a marked cause)"
    assert lines[2] == f"validation: no complete explanation; {tmp_path / 'validation.jsonl'} is not written"
    assert not (tmp_path / "validation.jsonl").exists()
    assert lines[-1] == (
        "The files hold utterances and explanations of ecem: its terms hold for them, too. Keep them to yourself."
    )
    corpus["corpus"] = replace(corpus["corpus"], synthetic=True)
    export(tmp_path)
    assert "SYNTHETIC" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("causes", ["gold", "shuffled"])
def test_gold_causes_that_no_item_has_are_refused(corpus: dict[str, Any], tmp_path: Path, causes: str) -> None:
    for row in corpus["corpus"].rows["test"]:
        for explanation in row["explanations"]:
            explanation["cause_turns"] = []
    with pytest.raises(MissingDataError, match=rf"--causes {causes} needs gold causes, and of the 5 .* of test none"):
        export(tmp_path / "out", "--causes", causes)
    with pytest.raises(UsageError, match="--causes last marks the turn before the target"):
        export(tmp_path / "out", "--causes", "last", "--context_turns", "0")
    assert not (tmp_path / "out").exists()


def test_shuffled_causes_that_are_the_gold_ones_are_counted(
    corpus: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus["corpus"].rows["train"][1]["explanations"][0]["cause_turns"][:] = [1, 2, 3]
    export(tmp_path, "--causes", "shuffled")
    assert "7 conversations (1 whose shuffled causes are the gold ones)\n" in capsys.readouterr().out


def test_the_loader_gets_the_folders(corpus: dict[str, Any], tmp_path: Path) -> None:
    folders = ("--meld_root", "m", "--ecf_root", "e", "--ecf_map", "e/map.txt")
    export(tmp_path, "--config_name", "ecgf", *folders)
    expected = {"meld_root": Path("m"), "ecf_root": Path("e"), "ecf_map": Path("e/map.txt"), "for_training": False}
    assert corpus["loaded"] == ("ecgf", Path("x"), expected)


def test_a_corpus_without_explanations_is_refused(corpus: dict[str, Any], tmp_path: Path) -> None:
    for rows in corpus["corpus"].rows.values():
        for row in rows:
            row["explanations"] = []
    with pytest.raises(UsageError, match=r"has no written explanations.*ecem, ecgf or reccon"):
        export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_of_runs_are_asked_for_where_they_are_used(
    corpus: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iemomecp_dataset.trainers.dialogue import emotion_inputs
    from iemomecp_dataset.trainers.explanation import inputs

    read = {"emotions": {("train0", 3): "anger"}, "causes": {("train0", 3): (2,)}}
    monkeypatch.setattr(emotion_inputs, "read_emotion_inputs", lambda folder, corpus: folder)
    monkeypatch.setattr(inputs, "named_emotions", lambda folder, corpus: read["emotions"] if folder == "e" else None)
    monkeypatch.setattr(inputs, "predicted_causes", lambda folder, corpus: read["causes"] if folder == Path("c") else 0)
    export(tmp_path, "--emotion", "predicted", "--emotion_from", "e", "--causes", "predicted", "--causes_from", "c")
    prompt = chat_lines(tmp_path / "train.jsonl")[0]["messages"][1]["content"]
    assert "why ? [cause]\n" in prompt
    assert "feels anger when" in prompt


def test_prompts_have_the_options_of_the_trainer() -> None:
    ours = OptionParser(ConversationOptions, command="export", description="").parse(
        ["--data_dir", "x", "--output_dir", "y"]
    )
    theirs = {name: getattr(ExplanationModelOptions, name) for name in ("context_turns", "emotion", "causes")}
    theirs |= {"config_name": ExplanationDataOptions.config_name, "seed": SharedRun.seed}
    options = ConversationOptions(**ours)
    assert {name: getattr(options, name) for name in theirs} == theirs
    for name in ("emotion", "causes"):
        assert set(_choices(ConversationOptions, name)) == set(_choices(ExplanationModelOptions, name))


def _choices(owner: type[Any], name: str) -> tuple[str, ...]:
    return get_args(get_type_hints(owner)[name])


def test_the_synthetic_corpus_is_written_whole(tmp_path: Path) -> None:
    folder = write_ecem(tmp_path / "ecem")
    out = tmp_path / "out"
    main(["--data_dir", str(folder), "--ecf_root", str(folder / "ECF"), "--causes", "gold", "--output_dir", str(out)])
    splits = iemomecp_dataset.load("ecem", data_dir=folder, ecf_root=folder / "ECF")
    assert set(splits) == {"train", "validation", "test"}
    for split, rows in splits.items():
        table = explanation_table(rows)
        lines = chat_lines(out / f"{split}.jsonl")
        assert [line["messages"][2]["content"] for line in lines] == list(table.references)
        near = [
            any(target - 3 <= cause <= target for cause in causes)
            for target, causes in zip(table.target_turns.tolist(), table.cause_turns, strict=True)
        ]
        assert ["[cause]" in line["messages"][1]["content"] for line in lines] == near
        assert any(near)


def test_no_file_is_replaced_before_all_are_written(
    corpus: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) > 1
    written = iemomecp_dataset.commands.export._text

    def stop_at_the_last(file_format: str, items: Any, rows: Any) -> str:
        if rows is [*corpus["corpus"].rows.values()][-1]:
            raise OSError(28, "No space left on device")
        return written(file_format, items, rows)

    monkeypatch.setattr("iemomecp_dataset.commands.export._text", stop_at_the_last)
    with pytest.raises((UsageError, OSError), match="No space left"):
        export(tmp_path, "--context_turns", "0")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
