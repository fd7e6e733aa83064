"""Batches of the ``evaluate`` modules of pairs and of emotions: checked, and an empty one is nothing."""

from __future__ import annotations

import inspect
from typing import Any

from iemomecp_dataset.errors import MetricInputError, did_you_mean
from iemomecp_dataset.metrics.arguments.argument_checks import as_array
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs

__all__ = ["ItemBatches", "check_options"]


class ItemBatches:
    """Stands before :class:`evaluate.Metric` among the bases of a module whose items have class ids.

    ``evaluate`` takes the first of its own classes in a module for the metric, so that this is none.

    Attributes:
        item: What is scored, for messages: ``pair`` or ``utterance``.
    """

    item = "pair"

    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by id."""
        raise NotImplementedError

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> Any:
        """Computes the scores of all items that were added, and of those given here.

        Raises:
            MetricInputError: The items or the options cannot be scored, an option does not exist, or there are no
                items.
        """
        check_options(self, kwargs)
        if predictions is not None or references is not None:
            self.add_batch(predictions=predictions, references=references)
        if getattr(self, "writer", None) is None:
            raise MetricInputError(f"There are no {self.item}s: give at least one prediction and its label.")
        return super().compute(**kwargs)  # type: ignore[misc]  # of evaluate.Metric

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Adds a batch; an empty one is nothing.

        Raises:
            MetricInputError: The batch cannot be scored, or is of another kind than those before it.
        """
        check_options(self, kwargs, known=())
        for name, given in (("predictions", predictions), ("references", references)):
            if given is None:
                raise MetricInputError(f"The {name} are missing; give predictions and references together.")
        rows = as_array(predictions, "predictions", self.item)
        labels = as_array(references, "labels", self.item)
        if rows.ndim and labels.ndim and not len(rows) and not len(labels):
            return
        # The features cast what they are given: fractions and truth values would become class ids, and text numbers.
        check_pair_inputs(rows, labels, self.class_names(), item=self.item)
        formats = getattr(self, "selected_feature_format", None)
        if getattr(self, "writer", None) is not None and formats is not None:
            had_rows = hasattr(formats["predictions"], "feature")
            if had_rows != (rows.ndim == 2):
                kinds = ("probabilities", "class ids") if had_rows else ("class ids", "probabilities")
                raise MetricInputError(f"The batches before had {kinds[0]}, this one has {kinds[1]}; give one of them.")
        super().add_batch(predictions=rows, references=labels)  # type: ignore[misc]

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Adds one item.

        Raises:
            MetricInputError: It cannot be scored.
        """
        check_options(self, kwargs, known=())
        self.add_batch(predictions=[prediction], references=[reference])


def check_options(module: Any, given: dict[str, Any], known: tuple[str, ...] | None = None) -> None:
    """Refuses options that a module does not have.

    Args:
        module: A module of ``evaluate``.
        given: Options by name.
        known: Their names; None: those of ``compute``.

    Raises:
        MetricInputError: There is one that does not exist.
    """
    if known is None:
        known = tuple(inspect.signature(module._compute).parameters)[2:]  # after predictions and references
    for name in given:
        if name not in known:
            raise MetricInputError(f"There is no option {name!r}. {did_you_mean(name, known)}".strip())
