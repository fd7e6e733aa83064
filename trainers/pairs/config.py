"""What the configuration of every model holds: its classes, and for a pair scorer the rule that decides pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from transformers import CONFIG_MAPPING, PreTrainedConfig

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.errors import InvalidDataError, UsageError

if TYPE_CHECKING:
    from iemomecp_dataset.corpus import Corpus

__all__ = [
    "NAMES",
    "TEXT_ENCODER",
    "ClassNamesConfig",
    "Expected",
    "PairScorerConfig",
    "candidate_space",
    "count",
    "one_of",
    "set_decision",
    "set_training_data",
    "share",
]


@dataclass(frozen=True)
class Expected:
    """What a field of a configuration has to be, which anybody may have edited.

    Attributes:
        words: Said after "must be".
        fits: Whether a value is that.
        optional: Whether None is taken as well.
    """

    words: str
    fits: Callable[[Any], bool]
    optional: bool = False

    def check(self, name: str, value: Any) -> None:
        """Refuses a value.

        Raises:
            InvalidDataError: It is not what is expected.

        Example:
            >>> count(1).check("hidden_size", 0)
            Traceback (most recent call last):
            iemomecp_dataset.errors.InvalidDataError: hidden_size must be a whole number of at least 1, but is 0.
        """
        if not (self.optional and value is None) and not self.fits(value):
            shown = repr(value)
            shown = shown if len(shown) <= 100 else f"{shown[:100]}…"
            raise InvalidDataError(f"{name} must be {self.words}{' or null' * self.optional}, but is {shown}.")


def count(least: int, *, optional: bool = False) -> Expected:
    """A whole number that is not smaller."""
    return Expected(
        f"a whole number of at least {least}", lambda value: type(value) is int and value >= least, optional
    )


def share(*, optional: bool = False) -> Expected:
    """A number from 0 to 1."""
    return Expected("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1, optional)


def one_of(*names: str, optional: bool = False) -> Expected:
    """One of some names."""
    return Expected(" or ".join(map(repr, names)), lambda value: isinstance(value, str) and value in names, optional)


def _are_names(value: Any) -> bool:
    listed = isinstance(value, (list, tuple)) and all(isinstance(name, str) and name for name in value)
    return listed and 0 < len(value) == len({*value})


def _is_encoder(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("model_type"), str)
        and value["model_type"] in CONFIG_MAPPING
    )


NAMES = Expected("a list of different names", _are_names, optional=True)
TEXT_ENCODER = Expected(
    "the configuration of a text encoder, with a model_type that transformers knows", _is_encoder, optional=True
)
_SETTINGS = Expected("an object", lambda value: isinstance(value, Mapping), optional=True)


class ClassNamesConfig(PreTrainedConfig):  # type: ignore[misc]
    """Base of all configurations: named classes.

    Attributes:
        class_names: Names of the classes by id. ``id2label``, ``label2id`` and ``num_labels`` follow from them.
        audio_extractor: How the audio vectors of training were made
            (:class:`~iemomecp_dataset.features.extractor.Extractor`), so that new recordings can be encoded alike; None
            where the model uses no audio or this is not known.
        video_extractor: The same for video.
    """

    class_names: list[str] | None = None
    audio_extractor: dict[str, Any] | None = None
    video_extractor: dict[str, Any] | None = None

    _expected: ClassVar[dict[str, Expected]] = {
        "class_names": NAMES,
        "audio_extractor": _SETTINGS,
        "video_extractor": _SETTINGS,
    }

    def __post_init__(self, **kwargs: Any) -> None:
        """Checks the fields, and derives the label maps, whatever a saved configuration has in their place.

        Raises:
            InvalidDataError: A field has a value that it cannot have.
        """
        for cls in type(self).__mro__:
            for name, expected in vars(cls).get("_expected", {}).items():
                expected.check(name, getattr(self, name))
        if self.class_names is not None:
            self.id2label = dict(enumerate(self.class_names))
            self.label2id = {name: i for i, name in enumerate(self.class_names)}
        super().__post_init__(**kwargs)

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: Any, **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reads a saved configuration, and refuses that of another kind of model.

        Raises:
            UsageError: It states another ``model_type``; its weights would be left out with no more than a warning.
        """
        found, rest = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        stated = found.get("model_type")
        if cls.model_type and stated and stated != cls.model_type:
            raise UsageError(
                f"{pretrained_model_name_or_path} holds a model of type {stated!r}, but {cls.__name__} is that of "
                f"{cls.model_type!r}. Give the folder of such a model, or load any model of this package by "
                "iemomecp_dataset.trainers.load_scorer."
            )
        return found, rest


class PairScorerConfig(ClassNamesConfig):
    """Base of the scorers' configurations; class 0 is the positive pair class.

    Attributes:
        decision: ``argmax``: the most probable class is predicted; ``threshold``: class 0 where its probability is at
            least ``threshold``, else the most probable of the others.
        threshold: A probability, or None for ``argmax``.
        candidates: Which pairs of a dialogue were candidates in training: ``all``, or ``past``, those whose cause is
            not after its target. None if that is not recorded.
        longest_dialogue: Utterances of the longest dialogue of training; None if that is not recorded.
        synthetic: Whether the model was trained on synthetic dialogues; None if that is not recorded.

    Example:
        >>> config = PairScorerConfig(class_names=["pair", "non_pair"])
        >>> config.id2label, config.label2id, config.num_labels
        ({0: 'pair', 1: 'non_pair'}, {'pair': 0, 'non_pair': 1}, 2)
    """

    decision: Literal["threshold", "argmax"] = "argmax"
    threshold: float | None = None
    candidates: CandidateSpace | None = None
    longest_dialogue: int | None = None
    synthetic: bool | None = None

    _expected: ClassVar[dict[str, Expected]] = {
        "decision": one_of("threshold", "argmax"),
        "threshold": share(optional=True),
        "candidates": one_of(*get_args(CandidateSpace), optional=True),
        "longest_dialogue": count(1, optional=True),
        "synthetic": Expected("true, false", lambda value: isinstance(value, bool), optional=True),
    }

    def __post_init__(self, **kwargs: Any) -> None:
        """Also checks that a threshold is stated where it decides.

        Raises:
            InvalidDataError: A field has a value that it cannot have.
        """
        super().__post_init__(**kwargs)
        if self.decision == "threshold":
            share().check("threshold", self.threshold)


def set_decision(config: Any, threshold: float | None) -> None:
    """Writes the rule that a run has chosen into a model's configuration.

    Args:
        config: The configuration, of a scorer of this package or of any other model.
        threshold: Smallest probability of class 0 that makes a pair positive, or None for the most probable class.

    Example:
        >>> config = PairScorerConfig(class_names=["pair", "non_pair"])
        >>> set_decision(config, 0.3)
        >>> config.decision, config.threshold
        ('threshold', 0.3)
    """
    config.decision = "argmax" if threshold is None else "threshold"
    config.threshold = None if threshold is None else float(threshold)


def candidate_space(candidates: str | None, only_past: bool = False) -> CandidateSpace | None:
    """The candidate space for new dialogues, by the name that a corpus and the record of a run have for theirs.

    In IEMO-MECP a cause after its target is a candidate only where it is annotated (``triangle+exceptions``). A model
    that is trained on that knows no such pair that is none, and is given past causes alone.

    Args:
        candidates: ``all``, ``past``, ``triangle+exceptions``; or ``given``, for dialogues in memory.
        only_past: Whether no candidate of training has its cause after its target, which decides ``given``.

    Returns:
        None where it is not known.

    Example:
        >>> candidate_space("triangle+exceptions"), candidate_space("all"), candidate_space(None)
        ('past', 'all', None)
    """
    if candidates == "given":
        return "past" if only_past else "all"
    known: dict[str | None, CandidateSpace] = {"all": "all", "past": "past", "triangle+exceptions": "past"}
    return known.get(candidates)


def set_training_data(config: Any, corpus: Corpus) -> None:
    """Writes into a model's configuration what new dialogues are to be compared with.

    Args:
        config: The configuration, of a scorer of this package or of any other model.
        corpus: The data of training.
    """
    table = corpus.tables.get("train")
    only_past = table is not None and bool((table.distances >= 0).all())
    config.candidates = candidate_space(corpus.candidates, only_past)
    rows = [*corpus.rows.get("train", ()), *(row for one in corpus.further for row in one.rows)]
    config.longest_dialogue = max((len(row["utterances"]) for row in rows), default=None)
    config.synthetic = bool(corpus.synthetic)
