"""Scores for emotion-cause pairs.

Importing this package makes ``evaluate.load("iemomecp_pair_f1")`` work. The arithmetic is in plain functions of NumPy
arrays, one module for each kind of score; none of them imports ``evaluate`` or torch.
"""

from iemomecp_dataset.metrics.registration import register_with_evaluate

__all__ = ["register_with_evaluate"]

register_with_evaluate()
