"""Frames and faces as vectors that a language model reads like token embeddings.

Frame tokens go through one linear layer with bias, as in Video-ChatGPT (and, by what is known, in FAME-Net), or through
two with GELU, as in LLaVA-1.5; face vectors through a linear layer of their own. A learned vector stands before them,
another after them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.encoding import Placeholder

__all__ = ["ProjectorKind", "VideoProjector", "pool_hidden_frames"]

ProjectorKind = Literal["linear", "mlp"]


class VideoProjector(nn.Module):
    """Puts projected frames and faces in the places of a prompt that are kept for them.

    Args:
        kind: ``linear``, or ``mlp``: two linear layers with GELU between.
        frame_size: Width of frame tokens; 0 without frames.
        face_size: Width of face vectors; 0 without faces.
        width: Width of the language model's token embeddings.

    Example:
        >>> projector = VideoProjector("linear", frame_size=1024, face_size=0, width=4096)
        >>> sum(p.numel() for p in projector.frames.parameters())
        4198400
    """

    def __init__(self, kind: ProjectorKind, frame_size: int, face_size: int, width: int):
        super().__init__()
        self.frames: nn.Module | None = None
        if frame_size:
            first = nn.Linear(frame_size, width)
            self.frames = first if kind == "linear" else nn.Sequential(first, nn.GELU(), nn.Linear(width, width))
        self.faces = nn.Linear(face_size, width) if face_size else None
        self.boundaries = nn.Parameter(torch.zeros(2, width)) if frame_size or face_size else None
        self.frame_size, self.face_size = frame_size, face_size

    def forward(
        self,
        embeddings: Tensor,
        input_ids: Tensor,
        frames: Tensor | None = None,
        frame_mask: Tensor | None = None,
        faces: Tensor | None = None,
        face_mask: Tensor | None = None,
    ) -> Tensor:
        """Replaces the vectors at placeholders.

        Args:
            embeddings: ``(B, L, D)`` of the token ids, whatever they are at placeholders.
            input_ids: ``(B, L)`` int, negative at :class:`~iemomecp_dataset.trainers.explanation.encoding.Placeholder`.
            frames: ``(B, K, d)``, or None.
            frame_mask: ``(B, K)`` bool, which of them are real; by default all.
            faces: ``(B, F, e)``, or None.
            face_mask: ``(B, F)`` bool, likewise.

        Returns:
            ``(B, L, D)``.

        Raises:
            UsageError: Vectors are of another width than the projector, or not as many as there are places for them.
        """
        if self.boundaries is None:
            raise UsageError(
                "The prompts have a place for frames and faces, but the model was built without both. Give it a "
                "frame_size or a face_size, or encode prompts without has_video."
            )
        boundaries = self.boundaries.to(embeddings.dtype)
        for row, kind in enumerate((Placeholder.START, Placeholder.END)):
            embeddings = torch.where((input_ids == kind)[..., None], boundaries[row], embeddings)
        for kind, what, layer, size, vectors, mask in (
            (Placeholder.FRAME, "frame", self.frames, self.frame_size, frames, frame_mask),
            (Placeholder.FACE, "face", self.faces, self.face_size, faces, face_mask),
        ):
            places = input_ids == kind
            expected = int(places.sum())
            if vectors is None:
                if expected:
                    raise UsageError(f"The prompts have places for {expected} {what} vectors, but {what}s= is missing.")
                continue
            if layer is None or vectors.shape[-1] != size:
                raise UsageError(
                    f"The {what} vectors are {vectors.shape[-1]} wide, but the model was built for {size or 'none'}. "
                    f"Take them from the encoder that it was trained with, or build it with {what}_size="
                    f"{vectors.shape[-1]}."
                )
            real = vectors.flatten(0, 1) if mask is None else vectors[mask]
            if len(real) != expected:
                raise UsageError(f"There are {len(real)} {what} vectors for {expected} places in the prompts.")
            projected = layer(real.to(next(layer.parameters()).dtype)).to(embeddings.dtype)
            embeddings = embeddings.masked_scatter(places[..., None], projected)
        return embeddings


def pool_hidden_frames(hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pools the patches of frames over space and over time (Video-ChatGPT, without its pads of zeros).

    Args:
        hidden: ``(B, T, P, d)``, a hidden layer of the vision tower without class token.
        mask: ``(B, T)`` bool, which frames are real; the real ones come first.

    Returns:
        ``(B, T + P, d)``: T means over patches, then P means over the real frames; and their mask ``(B, T + P)``. A
        clip without any frame has no tokens.

    Example:
        >>> hidden = torch.arange(4.0).view(1, 2, 2, 1)
        >>> pool_hidden_frames(hidden, torch.tensor([[True, True]]))[0].flatten().tolist()
        [0.5, 2.5, 1.0, 2.0]
    """
    weights = mask.to(hidden.dtype)
    temporal = hidden.mean(dim=2)
    spatial = torch.einsum("btpd,bt->bpd", hidden, weights) / weights.sum(dim=1).clamp(min=1)[:, None, None]
    everywhere = mask.any(dim=1, keepdim=True).expand(-1, hidden.shape[2])
    return torch.cat([temporal, spatial], dim=1), torch.cat([mask, everywhere], dim=1)
