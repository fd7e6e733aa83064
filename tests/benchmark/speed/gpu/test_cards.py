"""The table of cards: which one the driver's name means, and the plausibility of the numbers."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.speed.gpu.cards import CARDS, card_named


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "H100 SXM"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H100 NVL", "H100 NVL"),
        ("NVIDIA H200", "H200 SXM"),
        ("NVIDIA H200 NVL", "H200 NVL"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA A100 80GB PCIe", "A100"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA B200", "B200"),
    ],
)
def test_a_card_is_found_by_the_name_of_its_driver(device: str, name: str) -> None:
    card = card_named(device)
    assert card is not None
    assert card.name == name


@pytest.mark.parametrize(
    "device",
    [
        "Tesla T4",  # without bfloat16
        "NVIDIA A10G",  # another card than A10
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",  # a part of a card
        "AMD Instinct MI300X",
    ],
)
def test_another_card_whose_name_is_alike_is_not_taken_for_one_of_the_table(device: str) -> None:
    assert card_named(device) is None


def test_every_card_has_a_source_and_is_found_by_its_own_words() -> None:
    for card in CARDS:
        assert card_named(f"NVIDIA {' '.join(card.words)}") == card
        assert "NVIDIA" in card.source
        assert 50 < card.bf16_tflops < 3000
