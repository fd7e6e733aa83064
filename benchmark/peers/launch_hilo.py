"""Starts a user's own, unchanged clone of HiLo and writes the predictions that HiLo does not write.

    python /path/to/launch_hilo.py --clone PATH --output-dir OUT [-- arguments of HiLo's own main.py]

Start it in the clone's environment: it needs the standard library, numpy and torch, runs on Python 3.8, and imports
nothing of this package but the folder ``hilo_launcher`` beside it. It runs the clone's ``main.py`` in this process and
in the clone's folder, from training to the final evaluation, and then writes ``OUT/hilo_test.json`` and
``OUT/hilo_validation.json``, both with the weights of the final evaluation: per dialogue the probability of each pair,
the decision, and the predicted ids of emotion and cause.

It is written against HiLo's documented behaviour, without its source code, so that it knows none of the names inside:

* the probability of a pair is the softmax of the summed pair logits where the pair passes mask and filter, else 0;
* a pair is predicted where that is at least 0.5; the mask removes causes after their target; the filter keeps a pair
  where the predicted id of its target's emotion or of its cause is 1;
* the final evaluation on test prints precision, recall and F1, whose gold pairs are all pairs of ``test.txt``.

Therefore it looks for what it needs while HiLo runs. It notes which data loader is iterated and what passes through the
torch modules in evaluation, recognizes dialogues and logits by their shapes and by the numbers of turns in HiLo's own
data files, and rebuilds the decisions in each way that the documented behaviour allows. It accepts one only if true
positives, predictions and gold pairs give the precision, recall and F1 that HiLo itself printed for test. Otherwise it
stops and writes ``OUT/hilo_inspection.json`` instead: the names, shapes and types of what it saw, and the printed
scores, no text. With that list, ``--pair-logits``, ``--mask``, ``--filter``, ``--emotion`` and ``--cause`` name the
right values by hand, such as ``--pair-logits output.first+output.second``; the printed score is checked all the same.

The validation split is evaluated again with the final weights, from the inputs that the model got for it. Test is
repeated first, in the same way, and must give the outputs of the final evaluation. Where that is impossible, the
clone's own evaluating function is called again. Validation is left out where its printed score contradicts the reading.

After the first evaluation during training, a line says whether the decisions can be read, so that a long training is
not in vain. The exit code is 1 where a file is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["main"]

if __package__:
    from .hilo_launcher.command import main
else:
    # Started by path, this file is in no package. Its folder is on the path for this import alone, since the modules
    # beside it must not hide those of the clone.
    folder = str(Path(__file__).resolve().parent)
    sys.path.insert(0, folder)
    try:
        from hilo_launcher.command import main  # type: ignore[import-not-found,no-redef]
    finally:
        sys.path.remove(folder)


if __name__ == "__main__":
    sys.exit(main())
