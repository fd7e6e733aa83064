"""What every function that scores pairs must do, whatever it computes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError


class MetricCase:
    """A subclass names the function, the columns of ``random_pairs`` that it reads, and gives an independent reference.

    Attributes:
        of: The function.
        columns: Fields of the pairs that ``compute`` passes on.
        without_gold: Whether pairs among which none is gold have a score; they are refused otherwise.
        without_pairs: The same of no pairs at all.
        of_decisions: Whether it reads classes, that ``compute`` makes of the probabilities.
    """

    of: ClassVar[Callable[..., Any]]
    columns: ClassVar[tuple[str, ...]]
    without_gold: ClassVar[bool] = True
    without_pairs: ClassVar[bool] = False
    of_decisions: ClassVar[bool] = False

    def compute(self, pairs: Any) -> Any:
        """Calls the function on pairs."""
        raise NotImplementedError

    def reference(self, pairs: Any) -> Any:
        """What it must give, computed slowly or by another library; a mapping may hold a part of the keys."""
        raise NotImplementedError

    @pytest.mark.parametrize("seed", range(10))
    def test_agrees_with_the_reference_with_ties(self, random_pairs, seed):
        pairs = random_pairs(seed)
        agree(self.compute(pairs), self.reference(pairs))

    def test_one_dialogue_of_one_pair_is_enough(self, random_pairs):
        pairs = random_pairs(2, n_dialogues=1, longest=1)
        pairs = dataclasses.replace(pairs, labels=0 * pairs.labels)
        agree(self.compute(pairs), self.reference(pairs))

    def test_the_order_of_pairs_is_irrelevant(self, random_pairs):
        pairs = random_pairs(3)
        order = np.random.default_rng(0).permutation(len(pairs))
        shuffled = {field: getattr(pairs, field)[order] for field in self.columns}
        agree(self.compute(dataclasses.replace(pairs, **shuffled)), self.compute(pairs))

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_narrow_types_give_what_wide_ones_give(self, random_pairs, dtype):
        pairs = random_pairs(4)
        # Halves and quarters, which every width holds exactly.
        exact = np.eye(3)[pairs.labels] / 2 + np.eye(3)[np.arange(len(pairs)) % 3] / 2
        wide, narrow = ({"probabilities": exact.astype(kind)} for kind in (np.float64, dtype))
        narrow |= {"labels": pairs.labels.astype(np.int32), "target_turns": pairs.target_turns.astype(np.int16)}
        agree(self.compute(dataclasses.replace(pairs, **narrow)), self.compute(dataclasses.replace(pairs, **wide)))

    def test_lists_and_tensors_are_accepted_and_inputs_left_alone(self, random_pairs):
        torch = pytest.importorskip("torch")
        pairs, before = random_pairs(5), random_pairs(5)
        expected = self.compute(pairs)
        for field in self.columns:
            assert np.array_equal(getattr(pairs, field), getattr(before, field)), field
        lists = {field: getattr(pairs, field).tolist() for field in self.columns}
        tensors = {field: torch.tensor(getattr(pairs, field)) for field in ("probabilities", "labels")}
        agree(self.compute(Columns(**{**vars(pairs), **lists})), expected)
        agree(self.compute(dataclasses.replace(pairs, **tensors)), expected)

    def test_numbers_that_are_none_are_refused_by_place(self, random_pairs):
        if self.of_decisions:
            return  # whole numbers are always finite
        for bad in (math.nan, math.inf):
            pairs = random_pairs(6)
            pairs.probabilities[4, 0] = bad
            with pytest.raises(MetricInputError, match="pair 4"):
                self.compute(pairs)

    def test_columns_that_do_not_fit_are_refused(self, random_pairs):
        for field in self.columns:
            pairs = random_pairs(7)
            setattr(pairs, field, getattr(pairs, field)[:-1])
            with pytest.raises(MetricInputError):
                self.compute(pairs)

    def test_no_pairs_are_refused(self, random_pairs):
        nothing = Columns(**{name: values[:0] for name, values in vars(random_pairs(8)).items()})
        if self.without_pairs:
            agree(self.compute(nothing), self.reference(nothing))
            return
        with pytest.raises(MetricInputError):
            self.compute(nothing)

    def test_what_is_undefined_is_nan_with_a_reason(self, random_pairs):
        pairs = random_pairs(9)
        for labels in (pairs.labels, 0 * pairs.labels, 0 * pairs.labels + 2):
            given = dataclasses.replace(pairs, labels=labels)
            if not (labels == 0).any() and not self.without_gold:
                with pytest.raises(MetricInputError):
                    self.compute(given)
                continue
            found = self.compute(given)
            json.dumps(found)  # plain numbers and texts
            if isinstance(found, Mapping):
                undefined = {key for key, value in found.items() if isinstance(value, float) and math.isnan(value)}
                assert undefined == set(found.get("undefined", {}))
                assert all(found.get("undefined", {}).values())


class Columns:
    """Pairs whose columns need not be arrays."""

    def __init__(self, **columns: Any):
        vars(self).update(columns)

    def __len__(self) -> int:
        return len(self.labels)


def agree(found: Any, expected: Any) -> None:
    """Every expected number is found; what is found besides does not matter."""
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            agree(found[key], value)
    elif isinstance(expected, list | tuple):
        for one, other in zip(found, expected, strict=True):
            agree(one, other)
    elif isinstance(expected, str):
        assert found == expected
    else:
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
