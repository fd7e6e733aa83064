"""Diagnostics of trained systems: functions of predictions and of the data set, each with its formula.

Arrays of predictions are ``(S, n)``: one row per seed, one column per candidate pair, all runs on the same pairs in the
same order. Where the published analysis (arXiv 2605.25208) has a flaw, a function takes a :data:`Variant`:

* ``as_published`` repeats it, for comparison with the published tables;
* ``corrected`` avoids it: test pairs alone, no self-pairs whose "removed" evidence stays visible, and every seed
  analysed by itself before means are taken.
"""

from iemomecp_dataset.benchmark.diagnostics.variant import Variant

__all__ = ["Variant"]
