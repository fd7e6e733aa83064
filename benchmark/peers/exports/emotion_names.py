"""Names of emotions in the files of each peer.

M3HG has a table of names for MECAD alone, and MECPE has seven fixed slots. Where a corpus has other emotions, its names
are put into the slots that are free: they are slots, not meanings, and no emotion score of such a run is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from iemomecp_dataset.corpora.metadata import corpus_of_config
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["HiloEmotions", "emotion_names", "has_slots_only"]

HiloEmotions = Literal["categories", "binary"]
"""HiLo's emotions: categories, or emotional and neutral."""

_MECAD = {name: name.capitalize() for name in ("neutral", "happy", "surprise", "anger", "sad", "disgust", "fear")}
_ECF = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")

_FIXED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "m3hg": {
        "ecf": {name: name.capitalize() for name in _ECF} | {"joy": "Happy", "sadness": "Sad"},
        "mecad": _MECAD,
        "iemomecp": {
            "neu": "Neutral",
            "hap": "Happy",
            "exc": "Excited",
            "sad": "Sad",
            "fru": "Frustrated",
            "ang": "Angry",
        },
        "reccon": {name: name.capitalize() for name in _ECF if name != "joy"}
        | {"happiness": "Happy", "sadness": "Sad"},
        "mec4": {"neutral": "Neutral", "emotional": "Anger"},
    },
    "mecpe": {
        "ecf": {name: name for name in _ECF},
        "mecad": {name: name for name in _MECAD} | {"sad": "sadness", "happy": "joy"},
        "iemomecp": {
            "neu": "neutral",
            "ang": "anger",
            "hap": "joy",
            "sad": "sadness",
            "exc": "surprise",
            "fru": "disgust",
        },
        "reccon": {name: name for name in _ECF if name != "joy"} | {"happiness": "joy"},
        "mec4": {"neutral": "neutral", "emotional": "anger"},
    },
    "hilo": {"mecad": {name: name for name in _MECAD} | {"sad": "sadness", "happy": "joy"}},
    "m3hg-json": {"mecad": _MECAD},
}
"""By peer and corpus. HiLo takes any names but that of neutral; files in SemEval's and M3HG's layout keep ours."""
_SLOTS = frozenset({("m3hg", "iemomecp"), ("mecpe", "iemomecp"), ("m3hg", "mec4"), ("mecpe", "mec4")})


def emotion_names(peer: str, config_name: str, names: Sequence[str]) -> dict[str, str]:
    """Names the emotions of a configuration as a peer's files do.

    Args:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.PEERS`.
        config_name: Configuration name.
        names: Its emotions.

    Returns:
        The peer's name by ours.

    Raises:
        UsageError: The peer has a fixed list, and an emotion is not in the table for this corpus.

    Example:
        >>> emotion_names("m3hg", "ecf", ["neutral", "joy"]), emotion_names("hilo", "3class", ["neu", "hap"])
        ({'neutral': 'Neutral', 'joy': 'Happy'}, {'neu': 'neutral', 'hap': 'hap'})
    """
    corpus = corpus_of_config(config_name)
    fixed = _FIXED.get(peer, {}).get(corpus)
    if fixed is None and peer in ("hilo", "semeval", "m3hg-json"):
        as_hilo = peer == "hilo"
        fixed = {name: "neutral" if as_hilo and name in NEUTRAL_EMOTIONS else name for name in names}
    unknown = sorted(set(names) - set(fixed or {}))
    if fixed is None or unknown:
        raise UsageError(
            f"{peer} has a fixed list of emotions, and it is not known which of them stand for "
            f"{', '.join(unknown)} of {config_name}. Export a corpus with known names: "
            f"{', '.join(sorted(_FIXED[peer]))}."
        )
    return {name: fixed[name] for name in names}


def has_slots_only(peer: str, config_name: str) -> bool:
    """Tells whether the peer's emotions are slots without their meaning, so that no score by emotion is read.

    Args:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.PEERS`.
        config_name: Configuration name.
    """
    return (peer, corpus_of_config(config_name)) in _SLOTS
