"""Records of what a model predicts: roles, decisions, emotions, and their plain forms."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.pictures import conversation_page
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

TWO_TURNS = Conversation(
    "trip", (ConversationUtterance("Ana", "We missed it."), ConversationUtterance("Ben", "Oh no!"))
)
THREE_CLASSES = PredictedConversation(
    TWO_TURNS,
    ("emo_cause", "emo_context", "non_pair"),
    np.array([1, 1, 2, 2]),
    np.array([1, 2, 1, 2]),
    np.array([[0.1, 0.2, 0.7], [0.0, 0.1, 0.9], [0.5, 0.2, 0.3], [0.25, 0.45, 0.3]]),
    DecisionRule(),
    "runs/x",
)


def test_of_three_classes_a_pair_is_any_but_non_pair():
    pairs = THREE_CLASSES.pairs
    assert [(p.target_turn, p.cause_turn) for p in pairs] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert [p.role for p in pairs] == ["emo_context", "emo_context", "emo_cause", "emo_context"]
    assert [p.probability for p in pairs] == pytest.approx([0.3, 0.1, 0.7, 0.7])
    assert [p.label for p in pairs] == ["non_pair", "non_pair", "emo_cause", "emo_context"]
    assert [p.decided for p in pairs] == [False, False, True, True]


def test_a_threshold_decides_class_0_and_leaves_the_rest_to_the_most_probable():
    ruled = replace(THREE_CLASSES, decision=DecisionRule("threshold", 0.25, "user"))
    assert [p.label for p in ruled.pairs] == ["non_pair", "non_pair", "emo_cause", "emo_cause"]
    assert "0.25" in str(ruled.decision)
    assert "user" in str(ruled.decision)


def test_of_two_classes_the_probability_is_that_of_the_pair():
    two = replace(
        THREE_CLASSES,
        class_names=("pair", "non_pair"),
        pair_probabilities=np.array([[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]),
    )
    assert [(p.role, p.probability, p.decided) for p in two.pairs][2] == ("pair", 0.6, True)
    assert [p.role for p in two.pairs] == ["pair"] * 4


def test_without_an_emotion_head_a_turn_is_emotional_if_it_is_the_target_of_a_pair():
    assert [(e.turn, e.probability, e.category, e.emotional) for e in THREE_CLASSES.emotions] == [
        (1, None, None, False),
        (2, None, None, True),
    ]


def test_emotions_have_their_probability_and_most_probable_category():
    felt = replace(
        THREE_CLASSES,
        emotion_probabilities=np.array([0.7, 0.2]),
        category_names=("neutral", "joy"),
        category_probabilities=np.array([[0.4, 0.6], [0.9, 0.1]]),
    )
    assert [(e.emotional, e.category) for e in felt.emotions] == [(True, "joy"), (False, "neutral")]
    assert felt.emotions[0].category_probabilities == {"neutral": 0.4, "joy": 0.6}


def test_the_plain_forms_have_every_turn_and_candidate():
    plain = json.loads(json.dumps(THREE_CLASSES.to_dict()))
    assert [turn["speaker"] for turn in plain["turns"]] == ["Ana", "Ben"]
    assert plain["pairs"][2]["probabilities"] == {"emo_cause": 0.5, "emo_context": 0.2, "non_pair": 0.3}
    frame = THREE_CLASSES.to_frame()
    assert len(frame) == 4
    assert frame["prob_emo_cause"].tolist() == [0.1, 0.0, 0.5, 0.25]
    assert frame.loc[2, "cause_text"] == "We missed it."


def test_a_notebook_shows_the_page_of_a_conversation_in_a_frame_of_its_own():
    named = replace(THREE_CLASSES, conversation=replace(TWO_TURNS, name='"trip" <1>'))
    found = []

    class Frames(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Frames().feed(named._repr_html_())
    ((tag, attributes),) = found
    assert tag == "iframe"
    assert attributes["srcdoc"] == conversation_page([named])
    assert attributes["title"] == '"trip" <1>'
    assert attributes["sandbox"] == "allow-scripts"
