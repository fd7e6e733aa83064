"""Three short dialogues of a data file of HiLo, which the tests of the launcher find in arrays."""

from __future__ import annotations

from iemomecp_dataset.benchmark.peers.hilo_launcher.data_files import Dialogue, Split

__all__ = ["SHORT"]

# Dialogues of 3, 2 and 4 turns with the ids 5, 6 and 7.
SHORT = Split("test", [Dialogue(5, 3, frozenset()), Dialogue(6, 2, frozenset()), Dialogue(7, 4, frozenset())])
