"""Where to compute: a device that is there."""

from __future__ import annotations

import torch

from iemomecp_dataset.errors import UsageError

__all__ = ["usable_device"]


def usable_device(device: int | str | torch.device) -> torch.device:
    """Resolves a device, and refuses one that this machine lacks.

    Args:
        device: In torch's spelling; a number is that of an accelerator, and below 0 the CPU, as in transformers.

    Raises:
        UsageError: There is no such device.

    Example:
        >>> usable_device("cpu"), usable_device(-1)
        (device(type='cpu'), device(type='cpu'))
        >>> usable_device("foo")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: There is no device 'foo' that can be used on this machine, which has cpu...
    """
    name = device if not isinstance(device, int) else "cpu" if device < 0 else f"{_accelerator() or 'cuda'}:{device}"
    try:
        found = torch.device(name)
        if found.type != "meta":
            torch.zeros(1, device=found)
            return found
    except (RuntimeError, AssertionError, NotImplementedError, ImportError):
        pass
    raise UsageError(
        f"There is no device {str(device)!r} that can be used on this machine, which has {', '.join(_devices())}: name "
        "one of these by device=, or leave it out."
    ) from None


def _accelerator() -> str | None:
    """Type of this machine's accelerator, such as ``cuda``."""
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else None  # type: ignore[union-attr]


def _devices() -> list[str]:
    accelerator = _accelerator()
    count = torch.accelerator.device_count() if accelerator else 0
    return ["cpu", *(f"{accelerator}:{number}" for number in range(count))]
