"""The triangle of pairs as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

PREDICTED = PredictedConversation(
    Conversation("<b>trip</b>", (ConversationUtterance("Ana", "We missed it."),)),
    ("pair", "non_pair"),
    np.array([1]),
    np.array([1]),
    np.array([[0.7, 0.3]]),
    DecisionRule(),
    "runs/x",
)


def test_it_is_well_formed_whatever_the_names_are():
    assert ElementTree.fromstring(PREDICTED.to_svg()).tag.endswith("svg")
    odd = replace(PREDICTED, conversation=replace(PREDICTED.conversation, name="</svg><script>&"))
    assert "<script" not in odd.to_svg()
