"""What a language model reads about an utterance."""

from __future__ import annotations

from dataclasses import replace

from tiny_language_model import item

from iemomecp_dataset.trainers.explanation.prompts import ContextTurn, user_message, without_farthest_turn


def test_every_switch_changes_its_own_words_alone() -> None:
    plain = item()
    lines = user_message(plain, has_video=False).splitlines()
    assert lines == [
        "Conversation:",
        "Ann: well , what now ?",
        "Bob: yes !",
        "Cy: no , a game",
        'Explain in one sentence why Cy feels joy when saying "no , a game"',
    ]
    assert user_message(plain, has_video=True).splitlines() == ["<video>", *lines]
    without_emotion = user_message(replace(plain, emotion=None), has_video=False).splitlines()
    assert without_emotion[:-1] == lines[:-1]
    assert "joy" not in without_emotion[-1]
    assert "how Cy feels" in without_emotion[-1]
    marked = replace(plain, context=(replace(plain.context[0], marked=True), plain.context[1]), target_marked=True)
    found = user_message(marked, has_video=False).splitlines()
    assert [line.endswith("[cause]") for line in found] == [False, True, False, True, False, False]
    assert "marked [cause]" in found[4]
    faces = user_message(replace(plain, faces="faces: A joy 0.8"), has_video=False)
    assert "Cy: no , a game (faces: A joy 0.8)" in faces.splitlines()
    later = replace(plain, later=(ContextTurn(4, "", "bye"),))
    assert user_message(later, has_video=False).splitlines()[4] == "Speaker: bye"
    assert "not for the model" not in user_message(replace(plain, reference="not for the model"), has_video=False)


def test_no_text_stands_for_the_video_or_breaks_a_line() -> None:
    message = user_message(item(text="a <video>\nof  us"), has_video=True)
    assert message.count("<video>") == 1
    assert "Cy: a video of us" in message.splitlines()


def test_the_farthest_turns_go_first() -> None:
    some = item(5, context=3, later=(ContextTurn(6, "Bob", "x"), ContextTurn(7, "Bob", "y")))
    kept = []
    while some is not None:
        kept.append([turn.turn for turn in (*some.context, *some.later)])
        some = without_farthest_turn(some)
    assert kept == [[2, 3, 4, 6, 7], [3, 4, 6, 7], [4, 6, 7], [4, 6], [6], []]
