"""Values from files are shown by their beginning, however large they would be when written out."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.field_checks import check_text_fields


def nested(kind: type) -> object:
    """A value of a few hundred parts that is 10^100 characters long when written out."""
    value: object = kind()
    for _ in range(100):
        value = OrderedDict(enumerate([value] * 10)) if kind is OrderedDict else kind([value] * 10)
    return value


@pytest.mark.parametrize("kind", [list, tuple, OrderedDict])
def test_a_value_that_explodes_when_written_out_is_shown_by_its_beginning(kind: type) -> None:
    assert 20 < len(excerpt(nested(kind), 60)) <= 60
    assert shown(nested(kind)).endswith("…")
    with pytest.raises(ValueError, match="'text' must be text, but is") as caught:
        check_text_fields({"text": nested(kind)}, ["text"], "train.json")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    "value", ["", "a", "It rains.", 3, -1, 2.5, None, True, [1, "a"], {"a": [None]}, (1, 2), b"x", []]
)
def test_what_is_short_is_shown_as_it_is(value: object) -> None:
    assert excerpt(value) == str(value)


def test_values_that_python_does_not_write_out() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert excerpt(loop).startswith("[[[")
    assert excerpt(10**5000) == "an integer of 16,610 bits"
    assert excerpt([10**5000], 30).startswith("[an integer")
    assert len(excerpt("x" * 10**6)) == len(excerpt(b"x" * 10**6)) == 40


def test_an_object_that_cannot_be_shown_is_named_by_its_type() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    assert "Hostile" in excerpt(Hostile())


def test_numbers_of_numpy_are_shown_as_numbers() -> None:
    assert excerpt(np.int64(6)) == "6"
