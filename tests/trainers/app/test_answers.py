"""What the page does, without the page."""

from __future__ import annotations

import csv
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from invented_answers import invented_model
from tiny_pair_models import save_dialogue_model

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.trainers.app import answers
from iemomecp_dataset.trainers.app.answers import (
    DOWNLOADS,
    Answer,
    Difference,
    Limits,
    PageModel,
    differences,
    differences_table,
    names_of_models,
    read_given,
    refusal_in_words,
    sentence,
    threshold_in_words,
    write_download,
)
from iemomecp_dataset.trainers.app.example import EXAMPLE
from iemomecp_dataset.trainers.app.loading import load_models
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

LINES = "Ana: We missed it.\nBen: Oh no!\nAna: Look, there is another one."
HOSTILE = "<script>alert(1)</script>"


def said(n: int = 3) -> Conversation:
    return Conversation("trip", tuple(ConversationUtterance("Ana", f"line {turn}") for turn in range(1, n + 1)))


def predicted(
    probabilities: dict[tuple[int, int], list[float]],
    *,
    felt: list[float] | None = None,
    categories: list[str] | None = None,
) -> PredictedConversation:
    targets, causes = np.array(list(probabilities)).T
    names = ("neutral", "joy", "anger")
    return PredictedConversation(
        said(), ("emo_cause", "emo_context", "non_pair"), targets, causes, np.array(list(probabilities.values())),
        DecisionRule(), "runs/x",
        None if felt is None else np.array(felt), names if categories else (),
        np.array([[0.9 * (one == name) + 0.1 / 3 for name in names] for one in categories]) if categories else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["runs/a"], ("a",)),
        (["runs/a/model"], ("a",)),
        (["runs/a/model/", "runs/b"], ("a", "b")),
        (["/home/me/runs/a/model"], ("a",)),
        (["/home/me/one/a/model", "/home/me/two/a"], ("one/a", "two/a")),
        (["a/x", "b/x"], ("a/x", "b/x")),
        (["runs/a", "runs/./a/model"], ("a (1)", "a (2)")),
        (["model"], ("model",)),
        (["OWNER/NAME"], ("NAME",)),
    ],
)
def test_names_of_models_are_short_and_tell_them_apart(given, names):
    assert names_of_models(given) == names
    assert names_of_models(list(map(Path, given))) == names


def test_the_threshold_is_named_with_the_classes_of_every_model():
    three, two, other = (invented_model(name, n_classes=n) for name, n in (("three", 3), ("two", 2), ("other", 2)))
    start = "Decides anew, without running the model: a pair counts where"
    of_three = "P(emo_cause) is at least this, or else emo_context is at least as probable as non_pair"
    of_two = "P(pair) is at least this"
    for models, rules in (
        ([three], of_three),
        ([two, other], of_two),
        ([three, two], f"{of_three} (three); {of_two} (two)"),
    ):
        assert threshold_in_words(Answer.of(models, [said()])) == f"{start} {rules}."


def test_a_refusal_names_what_can_be_done_on_the_page(tmp_path, tiny_encoder):
    with pytest.raises(IemomecpError) as refused:
        read_given("1\n00:00:00,000 --> 00:00:01,000\nWe missed it.\n")
    assert "missing_speaker" in str(refused.value)
    assert refusal_in_words(refused.value).endswith(
        "no speaker of 'We missed it.'. Name who says it, as 'Name: words'."
    )

    folder = save_dialogue_model(tmp_path / "x" / "model", tiny_encoder, audio_size=4)
    (model,) = load_models([folder])
    with pytest.raises(IemomecpError) as refused:
        model([said()])
    assert "audio=" in str(refused.value)
    assert refusal_in_words(refused.value).endswith(
        "has no recording. Upload the recording of the conversation, whose utterances have times, as subtitles have."
    )


def test_text_and_files_are_read_alike(tmp_path):
    file = tmp_path / "chat.txt"
    file.write_text(LINES)
    rows = [dict(zip(("speaker", "text"), line.split(": "), strict=True)) for line in LINES.splitlines()]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    read = [
        read_given(LINES),
        read_given("", file),
        read_given(json.dumps(rows)),
        read_given("", tmp_path / "chat.json"),
    ]
    assert [[(u.speaker, u.text) for u in one.utterances] for (one,) in read] == 4 * [
        [("Ana", "We missed it."), ("Ben", "Oh no!"), ("Ana", "Look, there is another one.")]
    ]
    assert [one.name for (one,) in read] == ["conversation", "chat", "conversation", "chat"]
    assert [one.notes for (one,) in read] == [()] * 4


def test_the_example_is_a_conversation():
    (conversation,) = read_given(EXAMPLE)
    assert len(conversation.utterances) == 12
    assert conversation.notes == ()


def test_a_file_goes_before_the_text_and_the_reader_is_told(tmp_path):
    file = tmp_path / "chat.txt"
    file.write_text(LINES)
    (conversation,) = read_given("Cem: Hello.", file)
    assert conversation.name == "chat"
    assert conversation.notes == ("The file chat.txt was used; the text in the field was not.",)


def test_text_is_never_the_path_of_a_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("Ana: nobody may read this")
    for typed in (str(secret), secret.as_uri(), f"{secret}\n"):
        with pytest.raises(IemomecpError) as error:
            read_given(typed)
        assert "nobody may read this" not in str(error.value)


def test_files_that_a_conversation_names_are_left_alone(tmp_path):
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"RIFF")
    rows = [{"speaker": "Ana", "text": "Hi.", "audio": str(recording), "start": 0.0, "end": 1.0}]
    (conversation,) = read_given(json.dumps(rows))
    assert conversation.utterances[0] == ConversationUtterance("Ana", "Hi.", 0.0, 1.0)
    assert conversation.notes[0] == "Recordings that the conversation names are not opened by the page."
    (with_upload,) = read_given(json.dumps(rows), None, recording)
    assert with_upload.utterances[0].audio == str(recording)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no conversation yet"),
        (" \n\t", "There is no conversation yet"),
        ("no colon at all\nhere neither", "the text"),
        ("{", "the text"),
        ("Ana: Hi.\n" * 6, "at most 5 utterances, but conversation has 6; `iemomecp predict FILE --model RUN`"),
        ("Ana: " + 300 * "x", "The page takes 0.0002 MB at once, but 0.0 MB were given"),
        (
            json.dumps([{"utterances": [{"speaker": "A", "text": "b"}]}] * 3),
            "takes 2 conversations at once, but 3 were",
        ),
    ],
)
def test_mistakes_are_one_sentence_that_hides_the_server(text, message, monkeypatch):
    monkeypatch.setattr(answers, "LIMITS", Limits(file_bytes=200, conversations=2, utterances=5))
    with pytest.raises(IemomecpError) as error:
        read_given(text)
    assert message in str(error.value)
    assert "/tmp" not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_uploaded_file_is_named_as_its_owner_named_it(tmp_path):
    file = tmp_path / "0a1b2c" / "picture.png"
    file.parent.mkdir()
    file.write_bytes(bytes(range(256)))
    with pytest.raises(IemomecpError, match=r"picture\.png") as error:
        read_given("", file)
    assert str(tmp_path) not in str(error.value)


def test_a_threshold_decides_anew_without_the_model():
    asked = []
    model = invented_model("m")

    def predict(conversations):
        asked.append(conversations)
        return model.predict(conversations)

    first = Answer.of([replace(model, predict=predict)], read_given(EXAMPLE))
    counts = [sum(p.decided for p in first.with_threshold(t).predictions[0][0].pairs) for t in (0.0, 0.2, 0.6, 1.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 78
    again = first.with_threshold(0.9).with_threshold(None)
    assert again.predictions[0][0].labels.tolist() == first.predictions[0][0].labels.tolist()
    assert again.predictions[0][0].decision == first.predictions[0][0].decision
    assert len(asked) == 1


def test_a_model_answers_one_request_at_a_time():
    inside, most = [], []

    def predict(conversations):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return []

    model = PageModel("m", predict)
    threads = [threading.Thread(target=model, args=([said()],)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


PAIR, CONTEXT, NONE = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (({(1, 1): PAIR}), ({(1, 1): PAIR}), []),
        (
            ({(2, 1): PAIR, (2, 2): NONE}),
            ({(2, 1): NONE, (2, 2): NONE}),
            [(2, 1, "emo_cause (0.90)", "no pair (0.20)")],
        ),
        (({(2, 1): PAIR}), ({(2, 1): CONTEXT}), [(2, 1, "emo_cause (0.90)", "emo_context (0.90)")]),
        (({(2, 1): PAIR}), ({(2, 2): NONE}), [(2, 1, "emo_cause (0.90)", "not a candidate")]),
        # A pair that neither decides is no difference, whoever has it as a candidate.
        (({(2, 1): NONE}), ({(2, 2): NONE}), []),
    ],
)
def test_differences_of_pairs(one, other, found):
    assert differences(predicted(one), predicted(other)) == [Difference(*row) for row in found]


def test_differences_of_emotions_and_their_order():
    one = predicted({(2, 2): PAIR}, felt=[0.9, 0.9, 0.2], categories=["joy", "joy", "neutral"])
    other = predicted({(2, 2): NONE}, felt=[0.9, 0.9, 0.7], categories=["joy", "anger", "anger"])
    assert differences(one, other) == [
        Difference(2, None, "joy", "anger"),
        Difference(2, 2, "emo_cause (0.90)", "no pair (0.20)"),
        Difference(3, None, "neutral, not emotional", "anger"),
    ]
    # A model without emotions has none that could differ, beside the targets of its pairs.
    without = predicted({(2, 2): NONE})
    assert [found.cause_turn for found in differences(one, without)] == [2]
    unnamed = predicted({(2, 2): PAIR}, felt=[0.1, 0.9, 0.2])
    assert differences(one, unnamed) == [Difference(1, None, "joy", "not emotional")]


def test_the_table_of_differences_escapes_everything():
    one, other = predicted({(2, 1): PAIR}), predicted({(2, 1): NONE})
    spoken = tuple(ConversationUtterance(HOSTILE, HOSTILE) for _ in range(3))
    one = replace(one, conversation=Conversation(HOSTILE, spoken), class_names=(HOSTILE, "b", "non_pair"))
    table = differences_table((HOSTILE, "b"), one, other)
    assert "<script" not in table
    assert table.count("&lt;script&gt;") == 2 * 2 + 2
    assert "Where they differ (1)" in table
    assert "decide the same" in differences_table(("a", "b"), one, one)


def test_long_tables_are_cut_and_say_so(monkeypatch):
    monkeypatch.setattr(answers, "SHOWN_DIFFERENCES", 1)
    one, other = predicted({(2, 1): PAIR, (2, 2): PAIR}), predicted({(2, 1): NONE, (2, 2): NONE})
    table = differences_table(("a", "b"), one, other)
    assert table.count("<tr>") == 2
    assert "<p>And 1 more.</p>" in table


def test_sentences_are_escaped():
    assert sentence("") == ""
    assert "<script" not in sentence(HOSTILE)
    assert 'role="alert"' in sentence("no", kind="error")


def test_downloads_hold_every_model_and_conversation(tmp_path):
    conversations = [replace(one, name=name) for one, name in zip(2 * read_given(LINES), ("a", "b"), strict=True)]
    answer = Answer.of([invented_model("first", synthetic=True), invented_model("second", seed=1)], conversations)
    files = {kind: write_download(answer.with_threshold(0.3), kind, tmp_path) for kind in DOWNLOADS}
    assert [file.name for file in files.values()] == [f"conversations.{kind}" for kind in DOWNLOADS]
    records = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    expected = [("first", "a"), ("first", "b"), ("second", "a"), ("second", "b")]
    assert [(one["model"], one["name"]) for one in records] == expected
    assert {one["decision"]["threshold"] for one in records} == {0.3}
    with files["csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 6
    assert {(row["model"], row["conversation"]) for row in rows} == {(one["model"], one["name"]) for one in records}
    page = files["html"].read_text()
    assert page.startswith("<!doctype html>")
    assert "Look, there is another one." in page
    assert "SYNTHETIC" in page


@pytest.mark.parametrize(
    ("name", "file"),
    [("../../etc/x", "______etc_x.jsonl"), ("", "conversation.jsonl"), ("a b", "a_b.jsonl")],
)
def test_a_download_stays_in_its_folder(name, file, tmp_path):
    conversation = replace(read_given(LINES)[0], name=name)
    path = write_download(Answer.of([invented_model("m")], [conversation]), "jsonl", tmp_path)
    assert path == tmp_path / file
