"""Voice and face of the synthetic speakers: feature vectors that know a little of what the words leave open.

Audio carries arousal and emotion. Video carries valence, emotion, and a hint of which event is meant: whether the
speaker reacts to what they say themselves, to what was just said, or to something further off. Both are noisy; either
alone is weaker than the words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.synthetic.plan import PlannedUtterance

__all__ = ["AUDIO_LATENTS", "VIDEO_LATENTS", "FeatureSpace", "audio_latents", "video_latents"]

AUDIO_LATENTS = 8
VIDEO_LATENTS = 11

_EMOTIONS = ("hap", "exc", "sad", "ang", "fru")
_AROUSAL = {"neu": 0.0, "hap": 0.5, "exc": 1.0, "sad": -0.6, "ang": 1.0, "fru": 0.7}
_VALENCE = {"neu": 0.0, "hap": 1.0, "exc": 0.9, "sad": -0.8, "ang": -1.0, "fru": -0.7}

# Distances between means in standard deviations of the noise: how much a modality gives away.
_AROUSAL_STRENGTH = 1.3
_VALENCE_STRENGTH = 1.0
_EMOTION_STRENGTH = {"audio": 2.2, "video": 1.4}
_INTENSITY_STRENGTH = {"audio": 1.9, "video": 1.3}
_HINT_STRENGTH = 1.3


class FeatureSpace:
    """A linear map from a few meaningful latents into a feature vector of independent unit noise.

    Args:
        latents: Width of the latents.
        width: Width of the features.
        seed: Fixes map and noise.
    """

    def __init__(self, latents: int, width: int, seed: tuple[int, ...]) -> None:
        self._generator = np.random.default_rng(seed)
        basis, _ = np.linalg.qr(self._generator.standard_normal((width, latents)))
        self._map = basis.T

    def measure(self, latents: NDArray[np.float64]) -> NDArray[np.float32]:
        """Features of one utterance, each call with new noise.

        Args:
            latents: ``(latents,)``.

        Returns:
            ``(width,)`` float32.
        """
        noise = self._generator.standard_normal(self._map.shape[1])
        return np.asarray(latents @ self._map + noise, dtype=np.float32)


def audio_latents(utterance: PlannedUtterance) -> NDArray[np.float64]:
    """``(8,)``: arousal, intensity, emotion (5), speaker."""
    emotional = utterance.emotion != "neu"
    return np.array(
        [
            _AROUSAL_STRENGTH * _AROUSAL[utterance.emotion],
            _INTENSITY_STRENGTH["audio"] * emotional,
            *_emotion(utterance, "audio"),
            1.0 if utterance.speaker == "F" else -1.0,
        ]
    )


def video_latents(utterance: PlannedUtterance) -> NDArray[np.float64]:
    """``(11,)``: valence, intensity, emotion (5), what is reacted to (3), speaker."""
    emotional = utterance.emotion != "neu"
    distances = {distance for _, distance in utterance.reacts_to}
    hints = (utterance.reacts_to_itself, 1 in distances, bool(distances - {1}))
    return np.array(
        [
            _VALENCE_STRENGTH * _VALENCE[utterance.emotion],
            _INTENSITY_STRENGTH["video"] * emotional,
            *_emotion(utterance, "video"),
            *(_HINT_STRENGTH * hint for hint in hints),
            1.0 if utterance.speaker == "F" else -1.0,
        ]
    )


def _emotion(utterance: PlannedUtterance, modality: str) -> list[float]:
    return [_EMOTION_STRENGTH[modality] * (utterance.emotion == emotion) for emotion in _EMOTIONS]
