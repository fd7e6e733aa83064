"""Where to compute: a device that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.errors import UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["torch_device", "usable_device"]


def torch_device(name: str, local_rank: int = 0) -> torch.device:
    """Resolves the value of ``--device``; ``auto`` is a GPU if there is one, else the CPU.

    Args:
        name: ``auto``, or a device in torch's spelling.
        local_rank: Index of this process on its machine, which selects the GPU for ``auto``.

    Raises:
        UsageError: The device does not exist or cannot be used.
    """
    import torch

    if name != "auto":
        return usable_device(name, option="--device")
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    return torch.device("cpu")


def usable_device(device: int | str | torch.device, *, option: str = "device=") -> torch.device:
    """Resolves a device, and refuses one that this machine lacks.

    Args:
        device: In torch's spelling; a number is that of an accelerator, and below 0 the CPU, as in transformers.
        option: What names it, for the error.

    Raises:
        UsageError: There is no such device.

    Example:
        >>> usable_device("cpu"), usable_device(-1)
        (device(type='cpu'), device(type='cpu'))
        >>> usable_device("foo")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: There is no device 'foo' that can be used on this machine, which has cpu...
    """
    import torch

    name = device if not isinstance(device, int) else "cpu" if device < 0 else f"{_accelerator() or 'cuda'}:{device}"
    try:
        found = torch.device(name)
        if found.type != "meta":
            torch.zeros(1, device=found)
            return found
    # An unknown type, one that torch was built without, and one whose driver or package is absent.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError):
        pass
    raise UsageError(
        f"There is no device {str(device)!r} that can be used on this machine, which has {', '.join(_devices())}: name "
        f"one of these by {option}, or leave it out."
    ) from None


def _accelerator() -> str | None:
    """Type of this machine's accelerator, such as ``cuda``."""
    import torch

    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else None  # type: ignore[union-attr]


def _devices() -> list[str]:
    import torch

    accelerator = _accelerator()
    count = torch.accelerator.device_count() if accelerator else 0
    return ["cpu", *(f"{accelerator}:{number}" for number in range(count))]
