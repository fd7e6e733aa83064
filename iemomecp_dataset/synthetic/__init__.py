"""Synthetic IEMO-MECP in the genuine on-disk layouts, for tests, demonstrations and benchmarks without licensed data.

:func:`write_corpus` generates the dialogues with a grammar of this project; they contain no text of IEMOCAP.
"""

from iemomecp_dataset.synthetic.corpus import SyntheticCorpus, write_corpus
from iemomecp_dataset.synthetic.counts import SCALES, PlannedCounts, Scale

__all__ = ["SCALES", "PlannedCounts", "Scale", "SyntheticCorpus", "write_corpus"]
