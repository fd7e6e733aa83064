"""Prompt files: templates as data, with a hash of what is filled in."""

from __future__ import annotations

import pytest

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.trainers.language_model.prompts import read_prompt, require_ask


def own(folder, text):
    file = folder / "mine.yaml"
    file.write_text(text)
    return file


def test_a_comment_leaves_the_version_and_a_word_changes_it(tmp_path):
    text = "system: You read.\ndialogue: 'Give {n_turns}: {{}}'\n"
    one = read_prompt("emotions", own(tmp_path, text))
    assert one.question("dialogue", n_turns=3) == "Give 3: {}"
    assert read_prompt("emotions", own(tmp_path, "# better\n" + text)).version == one.version
    assert read_prompt("emotions", own(tmp_path, text.replace("read", "look"))).version != one.version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("system: a\ndialogue: 'b {turns}'\n", "{turns}, which is not filled in; known are {n_turns}"),
        ("system: a\ndialogue: 'b {'\n", "Write {{ and }} for braces"),
        ("system: a\n", "needs a template system, and one of dialogue, target, pair"),
        ("system: a\ndialog: b\n", "there is no template 'dialog'"),
        ("- a\n", "templates by name"),
        ("system: a\ndialogue: 'b {n_turns!z}'\n", "says how {n_turns} is laid out; names are filled in as they are"),
        ("system: a\ndialogue: 'b {n_turns:s}'\n", "says how {n_turns} is laid out"),
        ("system: a\ntarget: 'b {text:{turn}}'\n", "says how {text} is laid out"),
        ("system: a\ntarget: 'b {text:{turn:{turn}}}'\n", "says how {text} is laid out"),
        ("system: a\ndialogue: 'b {n_turns.real}'\n", "{n_turns.real}, which is not filled in"),
        ("system: a\ntarget: 'b {emotion}'\n", "{emotion}, which is not filled in"),
        ("system: a\npair: b\nletters: {non_pair: a, pair: b}\n", "expected pair, non_pair, in this order"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, text, said):
    with pytest.raises(InvalidDataError) as error:
        read_prompt("pairs", own(tmp_path, text))
    assert said in str(error.value)


def test_a_template_that_a_task_never_asks_is_refused(tmp_path):
    with pytest.raises(InvalidDataError, match="emotions are not asked for by a template verify"):
        read_prompt("emotions", own(tmp_path, "system: a\ndialogue: b\nverify: c\n"))
    assert read_prompt("explanations", own(tmp_path, "system: a\ntarget: '{emotion}'\n")).questions


@pytest.mark.parametrize("task", ["pairs", "roles"])
def test_later_turns_are_spoken_of_where_they_can_be_causes(task):
    prompt = read_prompt(task)
    assert "an earlier turn or, rarely, a later one." in prompt.system_message(["joy"], "")
    assert "later" not in prompt.system_message(["joy"], "", later_causes=False)


@pytest.mark.parametrize("task", ["pairs", "roles", "emotions", "explanations"])
def test_the_package_has_a_prompt_for_every_task(task):
    prompt = read_prompt(task)
    assert "\n\n" not in prompt.system_message(["joy"], "")
    if task == "explanations":
        with pytest.raises(UsageError, match="explanations are not asked by --ask pair"):
            require_ask(prompt, "pair", task)
