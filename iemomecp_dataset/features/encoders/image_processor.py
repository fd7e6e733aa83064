"""Loads the image processor of a pretrained model."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.errors import MissingDependencyError, MissingModelError
from iemomecp_dataset.features.encoders.model_loading import load_pretrained

__all__ = ["load_image_processor"]


def load_image_processor(name: str, revision: str | None, what: str) -> Any:
    """Loads the image processor of a model.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: Kind of encoder, for messages.

    Returns:
        The processor.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
        MissingDependencyError: It needs torchvision, which is not installed.
    """
    # Imported from its own module: at the top level of transformers before 5.15 this class requires torchvision.
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    try:
        return load_pretrained(AutoImageProcessor.from_pretrained, name, revision, what)
    except MissingModelError as error:
        cause = error.__cause__
        if isinstance(cause, ImportError) and "torchvision" in str(cause).lower():
            raise MissingDependencyError(
                f"The image processor of {name} needs the package 'torchvision', which is not installed. Run: pip "
                "install torchvision (a build for your torch), or choose a --model whose processor works without it, "
                "such as CLIP's."
            ) from None
        raise
