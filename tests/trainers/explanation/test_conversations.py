"""Conversations of one explanation."""

from __future__ import annotations

from iemomecp_dataset.trainers.explanation.conversations import chat_conversation, llava_conversation
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

ITEM = ExplanationItem("d1", 2, "d1_utt4", "Bob", "Oh <video> no!", "sadness", (), reference="It broke.")
WITHOUT = ExplanationItem("d1", 2, "d1_utt4", "Bob", "Oh no!", "sadness", ())


def test_an_item_without_reference_has_no_answer() -> None:
    assert [message["role"] for message in chat_conversation(WITHOUT)["messages"]] == ["system", "user"]
    assert [message["from"] for message in llava_conversation(WITHOUT)["conversations"]] == ["human"]
    assert chat_conversation(ITEM)["messages"][-1] == {"role": "assistant", "content": "It broke."}


def test_the_video_token_stands_once_in_llava_and_never_in_a_chat() -> None:
    assert llava_conversation(ITEM)["conversations"][0]["value"].count("<video>") == 1
    assert "<video>" not in chat_conversation(ITEM)["messages"][1]["content"]


def test_the_clip_is_named_without_its_folder() -> None:
    assert [llava_conversation(ITEM, video)["video"] for video in (None, "", "a/b/dia1_utt4.mp4")] == [
        "d1_utt4.mp4",
        "d1_utt4.mp4",
        "dia1_utt4.mp4",
    ]
