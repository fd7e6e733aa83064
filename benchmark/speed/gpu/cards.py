"""What a card can do at most: dense bfloat16 matrix products, as the vendor states them.

Data sheets state twice the dense number where they count structured sparsity, which no model here has; all numbers
below are dense, with sums in float32.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARDS", "Card", "card_named"]


@dataclass(frozen=True)
class Card:
    """One card of the table.

    Attributes:
        name: What it is called.
        words: Words that the name given by the driver has, in lower case; the first card with all of them is meant.
        bf16_tflops: Dense bfloat16 products, in 10^12 operations a second.
        source: The vendor's document.
    """

    name: str
    words: tuple[str, ...]
    bf16_tflops: float
    source: str


_H100 = "NVIDIA H100 Tensor Core GPU data sheet (half of the number with sparsity)"
_H200 = "NVIDIA H200 Tensor Core GPU data sheet (half of the number with sparsity)"
_A100 = "NVIDIA A100 Tensor Core GPU data sheet"
_ADA = "NVIDIA Ada GPU architecture white paper, appendix A"
_GA102 = "NVIDIA Ampere GA102 GPU architecture white paper, appendix A"

CARDS = (
    Card("B200", ("b200",), 2250.0, "NVIDIA Blackwell data sheet (half of the number with sparsity)"),
    Card("GH200", ("gh200",), 989.5, "NVIDIA GH200 Grace Hopper Superchip data sheet"),
    Card("H200 NVL", ("h200", "nvl"), 835.5, _H200),
    Card("H200 SXM", ("h200",), 989.5, _H200),
    Card("H100 NVL", ("h100", "nvl"), 835.5, _H100),
    Card("H100 PCIe", ("h100", "pcie"), 756.5, _H100),
    Card("H100 SXM", ("h100",), 989.5, _H100),
    Card("A100", ("a100",), 312.0, _A100),
    Card("A30", ("a30",), 165.0, "NVIDIA A30 Tensor Core GPU data sheet"),
    Card("A40", ("a40",), 149.7, "NVIDIA A40 data sheet"),
    Card("A10", ("a10",), 125.0, "NVIDIA A10 data sheet"),
    Card("L40S", ("l40s",), 362.05, "NVIDIA L40S data sheet"),
    Card("L40", ("l40",), 181.05, "NVIDIA L40 data sheet"),
    Card("L4", ("l4",), 121.0, "NVIDIA L4 data sheet (half of the number with sparsity)"),
    Card("RTX A6000", ("rtx", "a6000"), 154.8, _GA102),
    Card("RTX 4090", ("rtx", "4090"), 165.2, _ADA),
    Card("RTX 3090", ("rtx", "3090"), 71.0, _GA102),
)
"""Cards by name, the more specific first."""


def card_named(device: str) -> Card | None:
    """Finds a card by the name that its driver gives.

    Args:
        device: As :func:`torch.cuda.get_device_name` gives it.

    Returns:
        The card; None where it is not in the table, as for one whose name only begins alike.

    Example:
        >>> card_named("NVIDIA H100 80GB HBM3").name, card_named("NVIDIA A100-SXM4-80GB").bf16_tflops
        ('H100 SXM', 312.0)
        >>> card_named("NVIDIA A10G") is None
        True
    """
    words = device.lower().replace("-", " ").split()
    # A cut-down variant has a name of its own, with words that the table does not know.
    if "mig" in words or {"laptop", "ti", "super", "d"} & set(words):
        return None
    return next((card for card in CARDS if set(card.words) <= set(words)), None)
