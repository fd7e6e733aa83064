"""Explanations as conversations for other trainers, in the words that this package's own model reads."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from iemomecp_dataset.trainers.explanation.prompts import SYSTEM_MESSAGE, ExplanationItem, user_message

__all__ = ["ChatConversation", "ChatMessage", "LlavaConversation", "chat_conversation", "llava_conversation"]

_LlavaMessage = TypedDict("_LlavaMessage", {"from": str, "value": str})  # "from" is a word of Python


class ChatMessage(TypedDict):
    """What one role says."""

    role: str
    content: str


class ChatConversation(TypedDict):
    """A conversation by roles: ``system``, ``user``, ``assistant``."""

    messages: list[ChatMessage]


class LlavaConversation(TypedDict):
    """A conversation about a clip, as LLaVA's trainers read it: ``human`` asks, ``gpt`` answers."""

    id: str
    video: str
    conversations: list[_LlavaMessage]


def chat_conversation(item: ExplanationItem) -> ChatConversation:
    """Makes a conversation of text alone: system message, prompt and answer.

    Args:
        item: The target, its context and its reference; without a reference the answer is left out.

    Example:
        >>> item = ExplanationItem("d1", 1, "d1_1", "Bob", "Oh no!", "sadness", (), reference="The train is late.")
        >>> [message["role"] for message in chat_conversation(item)["messages"]]
        ['system', 'user', 'assistant']
        >>> print(chat_conversation(item)["messages"][1]["content"])
        Conversation:
        Bob: Oh no!
        Explain in one sentence why Bob feels sadness when saying "Oh no!"
    """
    messages: list[ChatMessage] = [
        {"role": "system", "content": SYSTEM_MESSAGE},
        {"role": "user", "content": user_message(item, has_video=False)},
    ]
    if item.reference is not None:
        messages.append({"role": "assistant", "content": item.reference})
    return {"messages": messages}


def llava_conversation(item: ExplanationItem, video: str | None = None) -> LlavaConversation:
    """Makes a conversation about the clip of the target, whose prompt begins with ``<video>``.

    There is no system message: trainers of this format set their own.

    Args:
        item: The target, its context and its reference; without a reference the answer is left out.
        video: Path or name of its clip, of which the name is kept; None for ``{utterance_id}.mp4``.

    Example:
        >>> item = ExplanationItem("d1", 1, "d1_utt0", "Bob", "Oh no!", "sadness", (), reference="The train is late.")
        >>> found = llava_conversation(item, "clips/dia1_utt0.mp4")
        >>> found["id"], found["video"], found["conversations"][1]
        ('d1_1', 'dia1_utt0.mp4', {'from': 'gpt', 'value': 'The train is late.'})
        >>> llava_conversation(item)["video"], found["conversations"][0]["value"].partition(chr(10))[0]
        ('d1_utt0.mp4', '<video>')
    """
    messages: list[_LlavaMessage] = [{"from": "human", "value": user_message(item, has_video=True)}]
    if item.reference is not None:
        messages.append({"from": "gpt", "value": item.reference})
    return {
        "id": f"{item.dialogue_id}_{item.target_turn}",
        "video": Path(video).name if video else f"{item.utterance_id}.mp4",
        "conversations": messages,
    }
