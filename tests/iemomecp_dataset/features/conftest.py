"""Features are tested on corpora that each test only reads, or copies to a folder of its own."""

import pytest


@pytest.fixture(autouse=True)
def own_cache() -> None:
    """Keeps the suite's Arrow cache: none of these tests is about it, and each would build the same corpus again."""
