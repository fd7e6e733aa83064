"""Decodes media files: the waveform and the video frames of an utterance."""

from iemomecp_dataset.features.decoding.audio_decoding import Waveform, decode_audio
from iemomecp_dataset.features.decoding.speaker_crop import speaker_side
from iemomecp_dataset.features.decoding.video_decoding import (
    VideoFrames,
    decode_positions,
    decode_video,
    sample_times,
)

__all__ = [
    "VideoFrames",
    "Waveform",
    "decode_audio",
    "decode_positions",
    "decode_video",
    "sample_times",
    "speaker_side",
]
