"""A conversation becomes a row that a model takes."""

from __future__ import annotations

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance


def test_a_row_numbers_the_turns_and_keeps_times_and_recordings():
    spoken = (
        ConversationUtterance("Ana", "We missed it.", 0.0, 1.5, "trip.wav"),
        ConversationUtterance("Ben", "Oh no!", 1.5, 2.0, "trip.wav", "trip.mp4"),
    )
    row = Conversation("trip", spoken).to_row()
    assert row["dialogue_id"] == "trip"
    assert [(u["turn"], u["utterance_id"], u["speaker"], u["text"]) for u in row["utterances"]] == [
        (1, "trip_1", "Ana", "We missed it."),
        (2, "trip_2", "Ben", "Oh no!"),
    ]
    assert row["utterances"][1]["start"] == 1.5
    assert (row["utterances"][1]["wav"], row["utterances"][1]["video"]) == ("trip.wav", "trip.mp4")
    # An empty list would mean that there is no candidate.
    assert "pairs" not in row
