r"""A second look at each pair, once all pairs of the dialogue have a first score.

Whether a turn causes an emotion depends on what else could have: on the other candidates of the target, on whether the
target causes its own emotion, on whether the candidate is emotional itself. Heads that see ``(h_i, h_j)`` alone score
each pair as if there were no other. Models of pairs as cells of a matrix let cells attend to one another (Ding, Xia and
Yu 2020, ECPE-2D); here a few numbers say what a cell needs to know of its row and its two diagonal cells, which costs
next to nothing.

With ``l_ij`` the first log odds of a class against the last one, ``e`` and ``c`` the log odds that an utterance is
emotional and a cause, the second score of a pair is the first one plus an MLP of::

    l_ij,  l_ij - max_k l_ik,  logsumexp_k l_ik,  l_ij - logsumexp_k l_ik,  l_ii,  e_i,  c_i,  l_jj,  e_j,  c_j,  i - j

Because pairs know of each other, zeroing an utterance at the pair scorer's input (arXiv 2606.18893, Eq. 13) changes the
scores of gold pairs too, which otherwise it does not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iemomecp_dataset.trainers.candidate_pairs import CandidatePairs

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

    def forward(self, scores: Tensor, emotion_logits: Tensor, cause_logits: Tensor, pairs: CandidatePairs) -> Tensor:
        """Looks at all pairs again.

        Args:
            scores: ``(P, C)``, the first scores of the candidate pairs.
            emotion_logits: ``(B, N, 2)``.
            cause_logits: ``(B, N, 2)``.
            pairs: Where the pairs lie.

        Returns:
            ``(P, C)``, the second scores.
        """
        pair = scores[:, :-1] - scores[:, -1:]
        matrices = pairs.matrices(pair)
        row = matrices.masked_fill(~pairs.valid.unsqueeze(-1), _NEVER)
        own = matrices.diagonal(dim1=1, dim2=2).transpose(1, 2)
        emotional = emotion_logits[..., 1:] - emotion_logits[..., :1]
        causing = cause_logits[..., 1:] - cause_logits[..., :1]
        # What is known of an utterance is brought together before it is handed to its pairs: two selections, not nine.
        of_target = torch.cat([own, emotional, causing, row.amax(dim=2), row.logsumexp(dim=2)], dim=-1)
        of_cause = torch.cat([own, emotional, causing], dim=-1)
        roles = pair.shape[-1]
        target = of_target.flatten(0, 1).index_select(0, pairs.targets)
        target, best, total = target.tensor_split((roles + 2, 2 * roles + 2), dim=-1)
        cause = of_cause.flatten(0, 1).index_select(0, pairs.causes)
        known = torch.cat([pair, pair - best, total, pair - total, target, cause], dim=-1)
        distances = self.distance.index_select(0, pairs.offsets(self.max_distance))
        added: Tensor = self.output(self.known(known / _SCALE) + distances)
        return scores + added.float()
