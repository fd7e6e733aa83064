"""Synthetic corpora in the genuine on-disk layouts, for tests, demonstrations and benchmarks without licensed data.

:func:`write_corpus` generates IEMO-MECP, :func:`write_meld` MELD and :func:`write_ecem` ECEM, with a grammar of this
project; they contain no text of any of them.
"""

from iemomecp_dataset.synthetic.corpus import SyntheticCorpus, write_corpus
from iemomecp_dataset.synthetic.counts import SCALES, PlannedCounts, Scale
from iemomecp_dataset.synthetic.ecem_files import write_ecem
from iemomecp_dataset.synthetic.meld_files import MELD_SCALES, write_meld

__all__ = [
    "MELD_SCALES",
    "SCALES",
    "PlannedCounts",
    "Scale",
    "SyntheticCorpus",
    "write_corpus",
    "write_ecem",
    "write_meld",
]
