"""Emotion names of the peers, against the table of the page."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.peers import PEERS
from iemomecp_dataset.benchmark.peers.exports.emotion_names import emotion_names, has_slots_only
from iemomecp_dataset.corpora.metadata import emotions_of_config
from iemomecp_dataset.errors import UsageError

# By peer and configuration, in the order of the corpus's own list.
TABLE = {
    ("hilo", "ecf"): "neutral joy surprise anger sadness disgust fear",
    ("mecpe", "ecf"): "neutral joy surprise anger sadness disgust fear",
    ("m3hg", "ecf"): "Neutral Happy Surprise Anger Sad Disgust Fear",
    ("hilo", "mecad"): "neutral joy surprise anger sadness disgust fear",
    ("mecpe", "mecad"): "neutral joy surprise anger sadness disgust fear",
    ("m3hg", "mecad"): "Neutral Happy Surprise Anger Sad Disgust Fear",
    ("m3hg-json", "mecad"): "Neutral Happy Surprise Anger Sad Disgust Fear",
    # hap sad neu ang exc fru
    ("hilo", "3class"): "hap sad neutral ang exc fru",
    ("m3hg", "3class"): "Happy Sad Neutral Angry Excited Frustrated",
    ("mecpe", "source_binary"): "joy sadness neutral anger surprise disgust",
    ("mecpe", "reccon"): "neutral joy surprise anger sadness disgust fear",
    ("m3hg", "reccon"): "Neutral Happy Surprise Anger Sad Disgust Fear",
    ("semeval", "ecf"): "neutral joy surprise anger sadness disgust fear",
    ("m3hg-json", "3class"): "hap sad neu ang exc fru",
}


@pytest.mark.parametrize(("peer", "config_name"), TABLE)
def test_names(peer: str, config_name: str) -> None:
    own = emotions_of_config(config_name)
    assert emotion_names(peer, config_name, own) == dict(zip(own, TABLE[peer, config_name].split(), strict=True))


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("config_name", ["3class", "source_binary", "ecf", "mecad", "mec4", "reccon"])
def test_every_corpus_with_pairs_has_distinct_names_and_a_neutral_one(peer: str, config_name: str) -> None:
    names = emotion_names(peer, config_name, emotions_of_config(config_name))
    assert len(set(names.values())) == len(names)
    assert [theirs.lower() for ours, theirs in names.items() if ours in ("neu", "neutral")] in (["neutral"], ["neu"])


def test_unknown_emotions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"m3hg has a fixed list of emotions.* for boredom of ecf"):
        emotion_names("m3hg", "ecf", ["neutral", "boredom"])
    with pytest.raises(UsageError, match="joy, neutral of unheard"):
        emotion_names("mecpe", "unheard", ["neutral", "joy"])
    assert emotion_names("hilo", "unheard", ["neu", "joy"]) == {"neu": "neutral", "joy": "joy"}


def test_emotions_that_are_slots() -> None:
    slots = {(peer, name) for peer in PEERS for name in ("3class", "ecf", "mecad") if has_slots_only(peer, name)}
    assert slots == {("m3hg", "3class"), ("mecpe", "3class")}
