"""``iemomecp predict``: what is printed and written, what is refused, and nothing half written."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import iemomecp_dataset.trainers
from iemomecp_dataset.__main__ import main
from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

CHAT = "Ana: We missed it.\nBen: Oh no!\nAna: I am so sorry.\n"


class InventedPipeline:
    """Answers at once: every turn is the cause of the next one with 0.8 and of itself with 0.3."""

    given: dict[str, Any]
    modalities: tuple[str, ...] = ("audio", "video")

    def __init__(self, model: str, **given: Any) -> None:
        type(self).given = {"model": model, **given}

    def __call__(self, conversations: Iterator[Conversation]) -> Iterator[PredictedConversation]:
        for conversation in conversations:
            n = len(conversation.utterances)
            if any("unreadable" in spoken.text for spoken in conversation.utterances):
                raise RuntimeError("in the middle of the work")
            targets, causes = np.tril_indices(n)
            first = np.select([targets == causes + 1, targets == causes], [0.8, 0.3], 0.01)
            threshold = self.given["threshold"]
            yield PredictedConversation(
                conversation,
                ("pair", "non_pair"),
                targets + 1,
                causes + 1,
                np.stack([first, 1 - first], axis=1),
                DecisionRule() if threshold is None else DecisionRule("threshold", threshold, "user"),
                self.given["model"],
                synthetic="synthetic" in self.given["model"],
                notes=(*conversation.notes, *(("It was read in windows.",) if n > 3 else ())),
            )


@pytest.fixture
def predict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in a folder with two conversations: exit code, output, errors."""
    monkeypatch.setattr(iemomecp_dataset.trainers, "EmotionCausePipeline", InventedPipeline, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("chat.txt").write_text(CHAT)
    Path("other.json").write_text(
        json.dumps([{"speaker": "Zoë", "text": "Hi, 李雷!"}, {"speaker": "B", "text": "Hm."}])
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["predict", *arguments, *(() if "--model" in arguments else ("--model", "runs/x"))])
        assert isinstance(end.value.code, int)
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


Predict = Callable[..., tuple[int, str, str]]


def test_a_transcript_is_printed(predict: Predict) -> None:
    code, output, errors = predict("chat.txt")
    assert (code, errors) == (0, "")
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[0] == "chat: 3 turns, 2 emotional, 2 pairs of 6 candidates; model runs/x"
    assert "2 Ben Oh no! emotional turn 1, 80 %" in lines
    assert "\x1b" not in output


def test_options_reach_the_pipeline(predict: Predict) -> None:
    _, output, _ = predict(
        "chat.txt", "--threshold", "0.25", "--window", "9", "--batch-size=3", "--device", "cpu",
        "--emotion-model", "runs/e", "--text-encoder", "models/m", "--emotion-text-encoder", "models/e",
        "--audio", "audio.parquet",
        "--audio-encoder", "models/a", "--video-encoder", "models/v",
    )  # fmt: skip
    assert InventedPipeline.given == {
        "model": "runs/x", "threshold": 0.25, "window": 9, "batch_size": 3, "device": "cpu", "emotion_model": "runs/e",
        "text_encoder": "models/m", "emotion_text_encoder": "models/e", "audio": Path("audio.parquet"),
        "audio_encoder": "models/a", "video_encoder": "models/v", "progress": False,
    }  # fmt: skip
    assert "P(pair) is at least 0.25 (given by the user)" in output
    assert "itself, 30 %" in output


def test_json_lines_and_json_hold_what_to_dict_gives(predict: Predict) -> None:
    assert predict("chat.txt", "other.json", "--output", "pairs.jsonl")[0] == 0
    lines = [json.loads(line) for line in Path("pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["name"], len(line["turns"]), len(line["pairs"])) for line in lines] == [
        ("chat", 3, 6),
        ("other", 2, 3),
    ]
    assert lines[1]["turns"][0]["text"] == "Hi, 李雷!"
    assert "李雷" in Path("pairs.jsonl").read_text(encoding="utf-8")
    assert predict("chat.txt", "other.json", "--output", "pairs.json")[0] == 0
    assert json.loads(Path("pairs.json").read_text(encoding="utf-8")) == lines
    _, printed, _ = predict("chat.txt", "other.json", "--format", "jsonl")
    assert [json.loads(line) for line in printed.splitlines()] == lines


def test_csv_has_one_header_and_a_row_per_candidate(predict: Predict) -> None:
    code, output, _ = predict("chat.txt", "other.json", "--output", "deep/er/pairs.csv")
    assert code == 0
    assert output == (
        "written: deep/er/pairs.csv (2 conversations, 3 pairs)\n"
        "A pair counts where non_pair is not its most probable class (chosen when the model was trained).\n"
    )
    rows = list(csv.DictReader(io.StringIO(Path("deep/er/pairs.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 6 + 3
    assert [row["conversation"] for row in rows if row["decided"] == "True"] == ["chat", "chat", "other"]
    assert rows[-1]["cause_text"] == "Hm."


def test_pages_and_drawings(predict: Predict) -> None:
    assert predict("chat.txt", "other.json", "--output", "page.html")[0] == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "We missed it." in page
    assert "Hi, 李雷!" in page
    assert predict("chat.txt", "--output", "chat.svg")[0] == 0
    assert Path("chat.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert predict("chat.txt", "--output", "chat.txt.out", "--format", "text")[0] == 0
    assert "turn 1, 80 %" in Path("chat.txt.out").read_text(encoding="utf-8")


def test_standard_input_is_read(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Zoë: Hi!\nBen: Hm.".encode("utf-16"))))
    code, output, _ = predict("-")
    assert code == 0
    assert "Zoë" in output


def test_standard_input_names_no_file(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chat.txt", str(Path("chat.txt").resolve()), "other.json\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(name.encode())))
        code, output, errors = predict("-")
        assert (code, output) == (2, "")
        assert errors.startswith("error: standard input: none of the formats of a conversation. Tried: text")
        assert errors.count("\n") == 1


def test_what_was_assumed_of_standard_input_is_said(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    data = "Zoë: Hi!".encode("cp1252")
    Path("conversation.txt").write_bytes(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    piped = predict("-")
    assert "Read as Windows-1252" in piped[1]
    assert piped == predict("conversation.txt")


def test_files_of_one_name_are_told_apart(predict: Predict) -> None:
    Path("b").mkdir()
    Path("b/chat.txt").write_text("Ben: Hm.")
    predict("chat.txt", "b/chat.txt", "--output", "x.jsonl")
    names = [json.loads(line)["name"] for line in Path("x.jsonl").read_text().splitlines()]
    assert names == ["chat", "chat_2"]


def test_what_a_reader_has_to_know_is_said_with_a_file_too(predict: Predict) -> None:
    Path("long.txt").write_text(CHAT * 2)
    code, output, _ = predict("long.txt", "--model", "runs/synthetic", "--output", "x.csv")
    assert code == 0
    assert output.splitlines()[2].startswith("SYNTHETIC: This model learned from synthetic dialogues")
    assert output.splitlines()[3] == "note: long: It was read in windows."
    assert "SYNTHETIC" in predict("long.txt", "--model", "runs/synthetic")[1]
    for kind in ("csv", "jsonl", "json", "svg"):
        code, printed, errors = predict("long.txt", "--model", "runs/synthetic", "--format", kind)
        said = errors.splitlines()
        assert (code, said.pop(0)) == (0, "printed: 1 conversation, 5 pairs")
        if kind == "csv":
            assert said.pop(0).startswith("A pair counts where ")
            assert printed == Path("x.csv").read_text(encoding="utf-8")
        assert said[0].startswith("SYNTHETIC: ")
        assert said[1:] == ["note: long: It was read in windows."]
    assert predict("long.txt", "--model", "runs/synthetic", "--format", "text")[2] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("kind", ["text", "csv"])
def test_a_full_disk_behind_standard_output_is_one_sentence(
    kind: str, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code, _, errors = predict("chat.txt", "--format", kind)
    assert code == 2
    assert errors == (
        "error: standard output: cannot be written (No space left on device). Make space there and start the same "
        "command again, or choose another place.\n"
    )


@pytest.mark.parametrize(
    ("used", "given", "refused"),
    [
        ((), ("audio",), "audio"),
        ((), ("video",), "video"),
        (("audio",), ("audio",), None),
        (("audio",), ("video",), None),  # its sound
        (("audio",), ("audio", "video"), "video"),
        (("video",), ("audio", "video"), "audio"),
    ],
)
def test_a_recording_given_by_an_option_is_used_or_refused(
    used: tuple[str, ...],
    given: tuple[str, ...],
    refused: str | None,
    predict: Predict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(InventedPipeline, "modalities", used)
    Path("trip.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nAna: Hi!\n")
    Path("trip.mp4").write_bytes(b"")
    options = [word for kind in given for word in (f"--{kind}", "trip.mp4")]
    code, _, errors = predict("trip.srt", *options)
    assert code == (0 if refused is None else 2)
    if refused is not None:
        assert errors == (
            f"error: This model does not use {refused}. Leave --{refused} out, or give a model that does.\n"
        )


def test_a_note_of_the_reading_is_said_once(predict: Predict) -> None:
    Path("trip.json").write_text('[{"speaker": "Ana", "text": "Hi!", "weather": "rain"}]')
    note = "Not used: weather."
    assert predict("trip.json")[1].count(note) == 1
    assert predict("trip.json", "--output", "trip.html")[1].splitlines()[1:] == [f"note: trip: {note}"]
    assert Path("trip.html").read_text(encoding="utf-8").count(note) == 1
    assert json.loads(predict("trip.json", "--format", "jsonl")[1])["notes"] == [note]


REFUSED = {
    "no file": ((), "Name a file with a conversation"),
    "missing file": (("nothing.txt",), "nothing.txt: there is no such file"),
    "folder": (("folder",), "folder: is a folder"),
    "empty file": (("empty.txt",), "empty.txt: the file is empty"),
    "no format": (("numbers.txt",), "none of the formats of a conversation. Tried:"),
    "no text": (("without.json",), "without.json"),
    "stdin twice": (("-", "-"), "can be read once only"),
    "unknown suffix": (("chat.txt", "--output", "x.docx"), "the suffix .docx tells no format. Use one of .txt, .jsonl"),
    "no suffix": (("chat.txt", "--output", "x"), "the suffix (none) tells no format"),
    "over its input": (("chat.txt", "--output", "folder/../chat.txt"), "would replace what is read"),
    "into a folder": (("chat.txt", "--output", "folder", "--format", "csv"), "is a folder. Name a file in it"),
    "several in a drawing": (("chat.txt", "other.json", "--output", "x.svg"), "hold 2 conversations, and an .svg"),
    "threshold": (("chat.txt", "--threshold", "1.5"), "--threshold must lie within [0, 1], but is 1.5"),
    "window": (("chat.txt", "--window", "-2"), "--window must be at least 0"),
    "one recording for two": (("chat.txt", "other.json", "--audio", "a.wav"), "--audio a.wav is one recording, but"),
    "recording without times": (("chat.txt", "--audio", "chat.wav"), "no start time"),
    "no recording": (("chat.txt", "--video", "b.mp4"), "b.mp4: there is no such recording"),
    "a conversation": ((CHAT * 20,), "FILES takes names of files, but 'Ana: We missed it.\\nBen: Oh no!"),
    "a line": (("chat.txt", "Ana: Hi!"), "is text. Save the conversation as a file, or give it to standard input:"),
    "long file": (("a" * 300,), "FILES 'aaaaa"),
    "long output": (("chat.txt", "--output", "a" * 300 + "/x.csv"), "a name of 306 characters, which no file has"),
    "long recording": (("chat.txt", "--audio", "a" * 300), "--audio 'aaaaa"),
    "long encoder": (("chat.txt", "--text-encoder", "a" * 300), "--text-encoder 'aaaaa"),
    "long encoder beside": (("chat.txt", "--emotion-text-encoder", "a" * 300), "--emotion-text-encoder 'aaaaa"),
    "no speaker": (("cue.srt",), "(--missing-speaker previous)"),
    "unwritable": (("chat.txt", "--output", "chat.txt/x.csv"), "cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence_and_writes_nothing(
    arguments: tuple[str, ...], message: str, predict: Predict, tmp_path: Path
) -> None:
    Path("folder").mkdir()
    Path("empty.txt").write_text(" \n")
    Path("numbers.txt").write_text("1 2 3\n4 5 6\n")
    Path("cue.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHi!\n")
    Path("without.json").write_text('[{"speaker": "Ana"}]')
    Path("chat.wav").write_bytes(b"RIFF")
    before = sorted(tmp_path.rglob("*"))
    code, output, errors = predict(*arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("chat.txt").read_text() == CHAT


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "html", "txt"])
def test_what_breaks_in_the_middle_leaves_the_old_file(
    suffix: str, predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.txt").write_text("Ana: unreadable\n")
    out = Path(f"out.{suffix}")
    out.write_text("old")
    with pytest.raises(SystemExit, match="70"):
        main(["predict", "chat.txt", "bad.txt", "--model", "runs/x", "--output", str(out)])
    assert "RuntimeError: in the middle" in capsys.readouterr().err
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"chat.txt", "other.json", "bad.txt", out.name}


def test_colours_are_for_terminals_that_want_them(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in predict("chat.txt")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in predict("chat.txt")[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A pair model of random weights on frozen features, with emotions, as a run saves it."""
    import torch

    from iemomecp_dataset.trainers import DialogueScorer, DialogueScorerConfig

    torch.manual_seed(0)
    config = DialogueScorerConfig(
        class_names=["emo_cause", "emo_context", "non_pair"], text_size=16, text_encoder_name=str(tiny_encoder),
        text_layers=[2], max_tokens=24, hidden_size=16, num_layers=1, num_heads=2, pair_size=8, bilinear_size=4,
        emotion_names=["neutral", "joy", "anger"],
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("run") / "model"
    DialogueScorer(config).eval().save_pretrained(folder)
    return folder


def test_a_model_answers_end_to_end(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from iemomecp_dataset.trainers import EmotionCausePipeline

    (tmp_path / "chat.txt").write_text(CHAT)
    arguments = ["predict", str(tmp_path / "chat.txt"), "--model", str(model), "--output", str(tmp_path / "chat.json")]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0, capsys.readouterr().err
    assert capsys.readouterr().err == ""
    (written,) = json.loads((tmp_path / "chat.json").read_text())
    expected = EmotionCausePipeline(model)(tmp_path / "chat.txt").to_dict()
    assert written == expected
    assert written["category_names"] == ["neutral", "joy", "anger"]


def test_a_recording_that_the_file_names_and_a_text_model_does_not_use_is_a_note(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chat.json").write_text('[{"speaker": "Ana", "text": "We missed it.", "audio": "nowhere.wav"}]')
    with pytest.raises(SystemExit) as end:
        main(["predict", str(tmp_path / "chat.json"), "--model", str(model)])
    printed = capsys.readouterr()
    assert end.value.code == 0, printed.err
    note = "note: The audio recordings of 1 utterance are not used: the model was trained without audio."
    assert note in " ".join(printed.out.split()), "whatever the width"


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("0", "A window of 0 reads a conversation whole, but one has 1,025 turns (1,050,625 pairs); "),
        ("99999", "--window may be at most 1,024 turns, but is 99,999."),
    ],
)
def test_a_window_that_cannot_be_read_is_said_in_the_words_of_the_command(
    window: str, message: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chat.txt").write_text("Ana: Hi!\n" * 1025)
    with pytest.raises(SystemExit) as end:
        main(["predict", str(tmp_path / "chat.txt"), "--model", str(model), "--window", window])
    assert end.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {message}")
    if window == "0":
        assert errors.endswith("Leave --window out, or give a number of turns.\n")


def test_a_folder_without_our_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "chat.txt").write_text(CHAT)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.json").write_text('{"model_type": "bert"}')
    for folder in ("theirs", "nowhere"):
        with pytest.raises(SystemExit) as end:
            main(["predict", str(tmp_path / "chat.txt"), "--model", str(tmp_path / folder), "--output", "x.csv"])
        assert end.value.code == 2
        errors = capsys.readouterr().err
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        assert folder in errors
    assert not Path("x.csv").exists()
