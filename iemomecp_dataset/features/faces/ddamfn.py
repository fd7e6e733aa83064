"""DDAMFN: mixed feature network and two heads of coordinate attention, a classifier of aligned faces.

Source: Zhang, Zhang, Zhang, Wang, Song: "A Dual-Direction Attention Mixed Feature Network for Facial Expression
Recognition", Electronics 2023, 12(17), 3595. The network is written from descriptions, not from the authors' code. Its
number of parameters with 7 classes, 4,187,421, is that of theirs; many layouts have this number, and the sizes in
:class:`MixedLayout` are one of them, chosen here. A checkpoint of the authors is therefore loaded only where every name
(or the mapping that the user gives) and every shape agree.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UnsafeFileError, UsageError
from iemomecp_dataset.files import read_json

__all__ = ["Ddamfn", "MixedLayout", "classify_crops", "load_ddamfn"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHOWN = 6


@dataclass(frozen=True)
class MixedLayout:
    """Sizes of the mixed feature network; the defaults are chosen here (see the module).

    Attributes:
        widths: Channels of the stem and after each of three stages, of which each halves height and width.
        blocks: Residual blocks of each stage.
        expansion: Factor of the channels within a bottleneck.
        entry_kernels: Kernel sizes that share the channels of the first bottleneck of each stage.
        kernels: Those of its residual blocks.
        features: Channels of the result.
        heads: Number of attention heads.
    """

    widths: tuple[int, int, int, int] = (64, 64, 128, 256)
    blocks: tuple[int, int, int] = (8, 14, 9)
    expansion: int = 2
    entry_kernels: tuple[tuple[int, ...], ...] = ((3, 5, 7), (3, 5, 7, 9), (3, 5))
    kernels: tuple[tuple[int, ...], ...] = ((3, 5), (3, 5), (3, 5, 7))
    features: int = 512
    heads: int = 2


class Ddamfn(nn.Module):
    """Classifier of aligned faces.

    Args:
        n_classes: Number of classes.
        layout: Sizes of the network.

    Example:
        >>> sum(parameter.numel() for parameter in Ddamfn(7).parameters())
        4187421
    """

    def __init__(self, n_classes: int = 7, layout: MixedLayout | None = None):
        super().__init__()
        layout = layout or MixedLayout()
        width = layout.widths[0]
        blocks: list[nn.Module] = [
            _convolution(3, width, 3, stride=2, padding=1),
            _convolution(width, width, 3, padding=1, groups=width),
        ]
        for stage, count in enumerate(layout.blocks):
            out = layout.widths[stage + 1]
            blocks.append(
                _Bottleneck(width, out, layout.widths[stage] * layout.expansion, layout.entry_kernels[stage], stride=2)
            )
            width = out
            blocks += [_Residual(width, width * layout.expansion, layout.kernels[stage]) for _ in range(count)]
        blocks.append(_convolution(width, layout.features, 1))
        self.backbone = nn.Sequential(*blocks)
        self.heads = nn.ModuleList(_AttentionHead(layout.features) for _ in range(layout.heads))
        self.pool = _convolution(layout.features, layout.features, 7, groups=layout.features, active=False)
        self.classifier = nn.Linear(layout.features, n_classes)
        self.norm = nn.BatchNorm1d(n_classes)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Computes face vectors.

        Args:
            pixels: ``(B, 3, 112, 112)`` float32, normalized as ImageNet.

        Returns:
            ``(B, 512)``.
        """
        states = self.backbone(pixels)
        attention = torch.stack([head(states) for head in self.heads]).amax(0)
        vectors: torch.Tensor = self.pool(states * attention).flatten(1)
        return vectors

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Computes logits ``(B, n_classes)`` of ``(B, 3, 112, 112)``."""
        logits: torch.Tensor = self.norm(self.classifier(self.features(pixels)))
        return logits


def load_ddamfn(
    path: str | Path,
    class_order: Sequence[str],
    *,
    mapping: str | Path | None = None,
    layout: MixedLayout | None = None,
) -> Ddamfn:
    """Loads a checkpoint, as tensors alone.

    Args:
        path: Checkpoint of ``torch.save``: a state dict, or a dictionary with one under ``model_state_dict``,
            ``state_dict`` or ``model``. Nothing in it is run.
        class_order: Names of the classes in the order of the checkpoint's training, which is that of its class folders.
            It is never assumed.
        mapping: JSON file from parameter names of :class:`Ddamfn` to names in the checkpoint, where they differ.
        layout: Sizes of the network, where they differ.

    Returns:
        The network in evaluation mode.

    Raises:
        MissingDataError: The file does not exist.
        UnsafeFileError: It holds more than tensors.
        InvalidDataError: It is no checkpoint, or names or shapes differ; the message lists the first differences.
        UsageError: A class is named twice, or their number is not that of the checkpoint.
    """
    path = Path(path)
    if not class_order or len(set(class_order)) != len(class_order):
        raise UsageError(f"class_order= must name each class once, but is {', '.join(class_order) or 'empty'}.")
    if not path.is_file():
        raise MissingDataError(f"The checkpoint {path} is not there.")
    found = _state(path)
    model = Ddamfn(len(class_order), layout)
    expected = model.state_dict()
    names = _names(expected, mapping)
    differences = [
        f"{name} ({names[name]} in the file) is not there"
        if names[name] not in found
        else f"{name} is {tuple(found[names[name]].shape)} there and {tuple(tensor.shape)} here"
        for name, tensor in expected.items()
        if names[name] not in found or found[names[name]].shape != tensor.shape
    ]
    beyond = sorted(found.keys() - set(names.values()))
    last = found.get(names["classifier.weight"])
    if last is not None and last.ndim == 2 and len(last) != len(class_order):
        raise UsageError(f"{path} has {len(last)} classes, but class_order= names {len(class_order)}.")
    if differences or beyond:
        shown = [*differences[:_SHOWN], *(f"{name} is only in the file" for name in beyond[:_SHOWN])]
        raise InvalidDataError(
            f"{path} does not fit the network: {len(differences)} of {len(expected)} tensors differ and {len(beyond)} "
            f"are only in the file: {'; '.join(shown)}. Give a JSON file {{name here: name there}} as mapping=, and "
            "the sizes as layout."
        )
    model.load_state_dict({name: found[names[name]] for name in expected})
    return model.eval()


def classify_crops(
    model: Ddamfn, *, vectors: bool = False, batch_size: int = 64
) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    """Makes the classifier of :func:`iemomecp_dataset.features.faces.detecting.examine_clips`.

    Args:
        model: The network.
        vectors: Whether to return face vectors in place of probabilities.
        batch_size: Crops in a batch.

    Returns:
        Function from ``(n, 112, 112, 3)`` uint8 RGB to ``(n, n_classes)`` probabilities, or ``(n, 512)`` vectors.
    """
    device = next(model.parameters()).device
    mean = torch.tensor(_MEAN, device=device).view(1, 3, 1, 1)
    deviation = torch.tensor(_DEVIATION, device=device).view(1, 3, 1, 1)

    @torch.inference_mode()
    def classify(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        parts = []
        for first in range(0, len(crops), batch_size):
            pixels = torch.from_numpy(crops[first : first + batch_size]).to(device).permute(0, 3, 1, 2)
            pixels = (pixels / 255 - mean) / deviation
            found = model.features(pixels) if vectors else model(pixels).softmax(-1)
            parts.append(found.double().cpu())
        result: NDArray[np.float64] = torch.cat(parts).numpy()
        return result

    return classify


def _state(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"{path} holds more than tensors ({str(error).splitlines()[0][:120]}); nothing was run. Save its "
            "state dict alone."
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InvalidDataError(f"{path} is not a checkpoint of torch.save ({str(error)[:120]}).") from None
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InvalidDataError(f"{path} has no state dict: expected tensors by name.")
    # Written by torch.nn.DataParallel.
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def _names(expected: Mapping[str, Any], mapping: str | Path | None) -> dict[str, str]:
    names = {name: name for name in expected}
    if mapping is not None:
        given = read_json(Path(mapping))
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise InvalidDataError(f"{mapping}: expected {{name here: name there}}.")
        unknown = sorted(given.keys() - expected.keys())
        if unknown:
            raise InvalidDataError(
                f"{mapping}: the network has no tensor {unknown[0]!r}, but {next(iter(expected))!r}."
            )
        names |= given
    return names


# --- parts --------------------------------------------------------------------------------------------------------


def _convolution(
    inner: int,
    outer: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    active: bool = True,
) -> nn.Sequential:
    parts: list[nn.Module] = [
        nn.Conv2d(inner, outer, kernel, stride=stride, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(outer),
    ]
    return nn.Sequential(*parts, nn.PReLU(outer)) if active else nn.Sequential(*parts)


class _MixedDepthwise(nn.Module):
    """Depthwise convolution whose channels are shared among kernel sizes (MixConv, arXiv 1907.09595)."""

    def __init__(self, channels: int, kernels: Sequence[int], stride: int):
        super().__init__()
        shares = [channels // len(kernels)] * len(kernels)
        shares[0] += channels - sum(shares)
        self.shares = shares
        self.convolutions = nn.ModuleList(
            nn.Conv2d(share, share, size, stride=stride, padding=size // 2, groups=share, bias=False)
            for share, size in zip(shares, kernels, strict=True)
        )
        self.norm, self.activation = nn.BatchNorm2d(channels), nn.PReLU(channels)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        parts = [conv(part) for conv, part in zip(self.convolutions, torch.split(states, self.shares, 1), strict=True)]
        mixed: torch.Tensor = self.activation(self.norm(torch.cat(parts, 1)))
        return mixed


class _Bottleneck(nn.Sequential):
    """Widens, convolves by channel with mixed kernels, and narrows."""

    def __init__(self, inner: int, outer: int, hidden: int, kernels: Sequence[int], stride: int = 1):
        super().__init__(
            _convolution(inner, hidden, 1),
            _MixedDepthwise(hidden, kernels, stride),
            _convolution(hidden, outer, 1, active=False),
        )


class _Residual(nn.Module):
    """Bottleneck with coordinate attention and a shortcut."""

    def __init__(self, channels: int, hidden: int, kernels: Sequence[int]):
        super().__init__()
        self.bottleneck = _Bottleneck(channels, channels, hidden, kernels)
        self.attention = _CoordinateAttention(channels)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = states + self.attention(self.bottleneck(states))
        return result


class _CoordinateAttention(nn.Module):
    """Coordinate attention (arXiv 2103.02907)."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = max(8, channels // 32)
        self.reduce, self.norm = nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden)
        self.rows, self.columns = nn.Conv2d(hidden, channels, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        height = states.shape[2]
        joined = torch.cat([states.mean(3, keepdim=True), states.mean(2, keepdim=True).transpose(2, 3)], 2)
        rows, columns = torch.split(
            nn.functional.hardswish(self.norm(self.reduce(joined))), [height, states.shape[3]], 2
        )
        result: torch.Tensor = states * self.rows(rows).sigmoid() * self.columns(columns.transpose(2, 3)).sigmoid()
        return result


class _AttentionHead(nn.Module):
    """Attention ``(B, C, 7, 7)`` as the product of one map over rows and one over columns."""

    def __init__(self, channels: int, hidden: int = 16, side: int = 7):
        super().__init__()
        self.along_rows = _convolution(channels, channels, (1, side), groups=channels, active=False)
        self.along_columns = _convolution(channels, channels, (side, 1), groups=channels, active=False)
        self.reduce, self.norm = nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.rows = nn.Conv2d(hidden, channels, 1, bias=False)
        self.columns = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.along_rows(states), self.along_columns(states).transpose(2, 3)], 2)
        rows, columns = nn.functional.hardswish(self.norm(self.reduce(joined))).chunk(2, 2)
        attention: torch.Tensor = self.rows(rows).sigmoid() * self.columns(columns.transpose(2, 3)).sigmoid()
        return attention
