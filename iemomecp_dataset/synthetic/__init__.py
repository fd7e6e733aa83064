"""A synthetic IEMO-MECP in the genuine on-disk layouts, for tests, demonstrations and benchmarks without licences.

The dialogues are made up by a grammar of ours. See :func:`write_corpus`.
"""

from iemomecp_dataset.synthetic.corpus import SyntheticCorpus, write_corpus
from iemomecp_dataset.synthetic.counts import SCALES, PlannedCounts, Scale

__all__ = ["SCALES", "PlannedCounts", "Scale", "SyntheticCorpus", "write_corpus"]
