"""Systems of others as rows of the leaderboard: their input files from our rows, and runs from what they leave.

An export writes the input files of a peer (HiLo, M3HG, MECPE-2step, the official SemEval-2024 evaluator, or whatever
reads M3HG's JSON) together with a manifest; the user starts an own, unchanged clone on them; an import turns the
output of the clone and the manifest into a run folder. Nothing of the peers' code is in here.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["PEERS", "Peer"]

Peer = Literal["hilo", "m3hg", "mecpe", "semeval", "m3hg-json"]
PEERS: tuple[str, ...] = get_args(Peer)
"""What can be exported for and imported from, by its name on the command line."""
