r"""A second look at each pair, once all pairs of the dialogue have a first score.

Whether a turn causes an emotion depends on what else could have: on the other candidates of the target, on whether the
target causes its own emotion, on whether the candidate is emotional itself. Heads that see ``(h_i, h_j)`` alone score
each pair as if there were no other. Models of pairs as cells of a matrix let cells attend to one another (Ding, Xia and
Yu 2020, ECPE-2D); here a few numbers say what a cell needs to know of its row and its two diagonal cells, which costs
next to nothing.

With ``l_ij`` the first log odds of a class against the last one, ``e`` and ``c`` the log odds that an utterance is
emotional and a cause, the second score of a pair is the first one plus an MLP of::

    l_ij,  l_ii,  l_jj,  l_ij - max_k l_ik,  logsumexp_k l_ik,  l_ij - logsumexp_k l_ik,  e_i,  e_j,  c_i,  c_j,  i - j

Because pairs know of each other, zeroing an utterance at the pair scorer's input (arXiv 2606.18893, Eq. 13) changes the
scores of gold pairs too, which otherwise it does not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PairRefinement"]

_WIDTH = 64
# A few numbers a pair are hard to overfit: less dropout than elsewhere.
_DROPOUT = 0.1
# Log odds of pairs and utterances are of this order.
_SCALE = 3.0
_NEVER = -1e4


class PairRefinement(nn.Module):
    """Adds to the logits of pairs what the rest of the dialogue says of them; at first nothing.

    Args:
        classes: Pair classes ``C``.
        max_distance: Turn distances beyond it share parameters.
    """

    def __init__(self, classes: int, max_distance: int):
        super().__init__()
        self.max_distance = max_distance
        self.known = nn.Linear(6 * (classes - 1) + 4, _WIDTH)
        self.distance = nn.Parameter(torch.randn(2 * max_distance + 1, _WIDTH))
        self.output = nn.Sequential(
            nn.GELU(), nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Dropout(_DROPOUT), nn.Linear(_WIDTH, classes)
        )
        for parameter in self.output[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, logits: Tensor, emotion_logits: Tensor, cause_logits: Tensor, valid: Tensor) -> Tensor:
        """Looks at all pairs again.

        Args:
            logits: ``(B, N, N, C)``, the first scores; row target, column candidate cause.
            emotion_logits: ``(B, N, 2)``.
            cause_logits: ``(B, N, 2)``.
            valid: ``(B, N, N)`` bool, candidate pairs.

        Returns:
            ``(B, N, N, C)``, the second scores, zero where not valid.
        """
        dialogue, target, cause = valid.nonzero(as_tuple=True)
        first = logits[..., :-1] - logits[..., -1:]
        row = first.masked_fill(~valid.unsqueeze(-1), _NEVER)
        best, total = row.amax(dim=2), row.logsumexp(dim=2)
        own = first.diagonal(dim1=1, dim2=2).transpose(1, 2)
        emotional = (emotion_logits[..., 1] - emotion_logits[..., 0]).unsqueeze(-1)
        causing = (cause_logits[..., 1] - cause_logits[..., 0]).unsqueeze(-1)
        pair, total = first[dialogue, target, cause], total[dialogue, target]
        known = torch.cat(
            [
                pair,
                own[dialogue, target],
                own[dialogue, cause],
                pair - best[dialogue, target],
                total,
                pair - total,
                *(values[dialogue, turn] for values in (emotional, causing) for turn in (target, cause)),
            ],
            dim=-1,
        )
        offsets = (target - cause).clamp(-self.max_distance, self.max_distance) + self.max_distance
        added = self.output(self.known(known / _SCALE) + self.distance.index_select(0, offsets))
        second = torch.zeros_like(logits)
        second[dialogue, target, cause] = logits[dialogue, target, cause] + added.float()
        return second
