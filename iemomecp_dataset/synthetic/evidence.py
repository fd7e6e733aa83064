"""Audio and video features of the synthetic utterances, with information that the text lacks.

Audio encodes arousal and emotion. Video encodes valence, emotion, and a hint at the cause: whether the speaker reacts
to an event of the same utterance, of the previous one, or of a more distant one. Both are noisy, and each alone is less
informative than the text.
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

# Informativeness of each modality: distances between class means, in standard deviations of the noise.
_AROUSAL_STRENGTH = 1.3
_VALENCE_STRENGTH = 1.0
_EMOTION_STRENGTH = {"audio": 2.2, "video": 1.4}
_INTENSITY_STRENGTH = {"audio": 1.9, "video": 1.3}
_HINT_STRENGTH = 1.3


class FeatureSpace:
    r"""Linear map from latent variables to feature vectors, with independent unit noise.

    .. math:: x = z A + \epsilon, \quad A A^\top = I, \quad \epsilon \sim \mathcal{N}(0, I)

    Args:
        latents: Width of the latents.
        width: Width of the features.
        seed: Seed of map and noise.
    """

    def __init__(self, latents: int, width: int, seed: tuple[int, ...]) -> None:
        self._generator = np.random.default_rng(seed)
        basis, _ = np.linalg.qr(self._generator.standard_normal((width, latents)))
        self._map = basis.T

    def measure(self, latents: NDArray[np.float64]) -> NDArray[np.float32]:
        """Draws the features of one utterance, with new noise in each call.

        Args:
            latents: ``(latents,)``.

        Returns:
            ``(width,)`` float32.
        """
        noise = self._generator.standard_normal(self._map.shape[1])
        return np.asarray(latents @ self._map + noise, dtype=np.float32)


def audio_latents(utterance: PlannedUtterance) -> NDArray[np.float64]:
    """Computes the audio latents ``(8,)`` of an utterance: arousal, intensity, emotion (5), speaker."""
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
    """Computes the video latents ``(11,)`` of an utterance: valence, intensity, emotion (5), distance (3), speaker."""
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
