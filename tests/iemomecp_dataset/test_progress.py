"""Progress bars are switched off for a whole process by one variable."""

from __future__ import annotations

import pytest

from iemomecp_dataset.progress import bars_hidden


@pytest.mark.parametrize(("value", "hidden"), [(None, None), ("", None), ("0", None), ("1", True)])
def test_bars_are_hidden_where_the_variable_says_so(
    monkeypatch: pytest.MonkeyPatch, value: str | None, hidden: bool | None
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if value is not None:
        monkeypatch.setenv("TQDM_DISABLE", value)
    assert bars_hidden() is hidden
