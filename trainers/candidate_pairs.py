"""Where the candidate pairs of a padded batch lie."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["CandidatePairs"]


@dataclass(frozen=True)
class CandidatePairs:
    """The ``P`` candidate pairs of ``B`` dialogues of at most ``N`` turns; only these are computed.

    In a padded batch they are a fraction of all. Places are those of flattened tensors, because selecting along one
    dimension has a much faster backward pass than indexing along three.

    Attributes:
        valid: ``(B, N, N)`` bool; row target, column candidate cause.
        cells: ``(P,)`` int, places among the ``B * N * N`` cells.
        targets: ``(P,)`` int, places of the targets among the ``B * N`` turns.
        causes: ``(P,)`` int, places of the candidate causes among them.
    """

    valid: Tensor
    cells: Tensor
    targets: Tensor
    causes: Tensor

    @classmethod
    def of(cls, valid: Tensor) -> CandidatePairs:
        """Finds the pairs.

        Args:
            valid: ``(B, N, N)`` bool; row target, column candidate cause.

        Example:
            >>> import torch
            >>> pairs = CandidatePairs.of(torch.tensor([[[True, False], [True, True]]]))
            >>> pairs.targets.tolist(), pairs.causes.tolist(), pairs.offsets(12).tolist()
            ([0, 1, 1], [0, 0, 1], [12, 13, 12])
        """
        turns = valid.shape[-1]
        cells = valid.flatten().nonzero().squeeze(-1)
        targets = cells // turns
        return cls(valid, cells, targets, targets // turns * turns + cells % turns)

    def offsets(self, max_distance: int) -> Tensor:
        """``(P,)`` int: target minus cause in turns, clipped, counted from 0."""
        return (self.targets - self.causes).clamp(-max_distance, max_distance) + max_distance

    def select(self, values: Tensor) -> Tensor:
        """``(B, N, N, C)`` to ``(P, C)``."""
        return values.flatten(0, 2).index_select(0, self.cells)

    def matrices(self, values: Tensor) -> Tensor:
        """``(P, C)`` to ``(B, N, N, C)``, zero where there is no pair.

        Example:
            >>> import torch
            >>> pairs = CandidatePairs.of(torch.tensor([[[True, False], [True, True]]]))
            >>> pairs.matrices(torch.tensor([[1.0], [2.0], [3.0]])).squeeze(-1).tolist()
            [[[1.0, 0.0], [2.0, 3.0]]]
        """
        zeros = values.new_zeros(self.valid.numel(), values.shape[-1])
        return zeros.index_copy(0, self.cells, values).view(*self.valid.shape, values.shape[-1])
