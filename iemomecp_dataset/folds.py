"""Folds of a corpus for cross-validation: which dialogue is scored when, stored as data.

Dialogues go to folds by a hash of their id, never by their position in a file. What was recorded or cut as one stays
together: chunks of one source dialogue, and in IEMO-MECP the parts of one IEMOCAP recording. A file of folds belongs to
one corpus, by its fingerprints, and is refused once that has changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.corpus import Corpus, with_rows
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.files import read_json, write_json

__all__ = ["SALT", "Folds", "fold_corpus", "make_folds", "read_folds", "unit_of", "write_folds"]

SALT = "iemomecp"
"""What is hashed with an id where no other salt is given."""

_FORMAT_VERSION = 1
_FILE_DIGEST = "file_digest"
_SPLITS = ("train", "validation")
_RECORDING = re.compile(r"(Ses\d\d[FM]_(?:impro\d+|script\d+_\d+))[a-z]?")


@dataclass(frozen=True)
class Folds:
    """The fold of every dialogue of one split.

    Attributes:
        corpus: Name of the corpus.
        config_name: Its configuration.
        split: The split that is parted: ``train``, or ``validation`` where a corpus has no other.
        n: Number of folds.
        salt: What was hashed with the ids.
        fold_of: By dialogue id its fold, from 1 to ``n``.
        data_fingerprint: Of the split, see :func:`~iemomecp_dataset.fingerprints.data_fingerprint`.
        text_fingerprint: Of its texts.
        counts: By fold, from the first, ``dialogues, utterances, pairs, candidates``; ``pairs`` are gold pairs of the
            positive class.
        synthetic: Whether the corpus is synthetic.
    """

    corpus: str
    config_name: str
    split: str
    n: int
    salt: str
    fold_of: Mapping[str, int]
    data_fingerprint: str
    text_fingerprint: str
    counts: tuple[Mapping[str, int], ...]
    synthetic: bool = False

    @property
    def digest(self) -> str:
        """12 hexadecimal characters that tell these folds from others: scores compare where they agree."""
        content = [self.split, self.n, sorted(self.fold_of.items()), self.data_fingerprint, self.text_fingerprint]
        return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def all_folds(self) -> str:
        """Names the predictions of all folds together, as the signature of a score does.

        Example:
            >>> Folds("ecf", "ecf", "train", 5, SALT, {}, "", "", ()).all_folds[:17]
            'out-of-5-folds.d6'
        """
        return f"out-of-{self.n}-folds.{self.digest}"

    def word(self, fold: int) -> str:
        """Names one fold, as the signature of a score does: ``fold-2-of-5.<digest>``."""
        return f"fold-{fold}-of-{self.n}.{self.digest}"

    def validation_fold(self, fold: int) -> int:
        """The fold that chooses epoch and threshold where validation has no split of its own: the next one.

        Example:
            >>> [Folds("mecad", "mecad", "validation", 3, SALT, {}, "", "", ()).validation_fold(k) for k in (1, 2, 3)]
            [2, 3, 1]
        """
        return fold % self.n + 1

    def check_fold(self, fold: int) -> None:
        """Refuses the number of a fold that is not there.

        Raises:
            UsageError: It is not.
        """
        if not 1 <= fold <= self.n:
            raise UsageError(f"There are the folds 1 to {self.n}, but --fold is {fold}.")

    def check_corpus(self, corpus: Corpus, source: str | Path = "") -> None:
        """Refuses another corpus than the one that the folds were made of.

        Args:
            corpus: The corpus.
            source: The file of the folds, for the message.

        Raises:
            InvalidDataError: It has other dialogues, labels or texts.
        """
        where = f"The folds in {source}" if source else "The folds"
        if corpus.name != self.corpus or self.split not in corpus.rows:
            raise InvalidDataError(
                f"{where} part the {self.split} split of {self.corpus}, but the data is {corpus.name} with the splits "
                f"{', '.join(corpus.rows)}. Give that corpus, or make folds of this one."
            )
        found = (corpus.fingerprints[self.split], corpus.text_fingerprints[self.split])
        differing = [
            f"{what} {then} when they were made and {now} now"
            for what, then, now in zip(
                ("data", "texts"), (self.data_fingerprint, self.text_fingerprint), found, strict=True
            )
            if then != now
        ]
        if differing:
            raise InvalidDataError(
                f"{where} belong to another state of the {self.split} split of {self.corpus}: {' and '.join(differing)}"
                " (fingerprints). Restore that data and its options (--config_name, --candidates), or make folds in "
                "another runs folder."
            )


def unit_of(row: Mapping[str, Any], corpus: str) -> str:
    """Names what must not be parted: a source dialogue, or in IEMO-MECP a recording of IEMOCAP.

    Args:
        row: A dialogue.
        corpus: Name of its corpus.

    Example:
        >>> unit_of({"dialogue_id": "Ses05M_script01_1b__c002", "source_dialogue_id": "Ses05M_script01_1b"}, "iemomecp")
        'Ses05M_script01_1'
        >>> unit_of({"dialogue_id": "12", "source_dialogue_id": None}, "ecf")
        '12'
    """
    source = str(row.get("source_dialogue_id") or row["dialogue_id"])
    recording = _RECORDING.fullmatch(source) if corpus == IEMOMECP else None
    return recording[1] if recording else source


def make_folds(
    corpus: Corpus,
    n: int = 5,
    *,
    split: str = "train",
    salt: str = SALT,
    together: Iterable[Sequence[str]] = (),
) -> Folds:
    """Parts a split into folds.

    Units (:func:`unit_of`, joined where they are to stay together) are sorted by SHA-256 of the salt and their name,
    and dealt to the folds in turn, so that folds have the same number of them, give or take one.

    Args:
        corpus: The corpus.
        n: Number of folds.
        split: ``train``, or ``validation``.
        salt: Another salt gives other folds.
        together: Groups of ids of dialogues that must be in one fold, beside chunks of one source dialogue.

    Returns:
        The folds.

    Raises:
        UsageError: The corpus has no such split, or fewer units than folds, or the folds are too few.
    """
    if split not in _SPLITS:
        raise UsageError(f"Folds are made of train or validation, not of {split!r}. {did_you_mean(split, _SPLITS)}")
    if split not in corpus.rows:
        raise UsageError(f"{corpus.name} has no {split} split to make folds of; it has {', '.join(corpus.rows)}.")
    own_validation = split != "validation" and "validation" in corpus.rows
    if n < (2 if own_validation else 3):
        raise UsageError(
            f"--folds must be at least 2, but is {n}."
            if own_validation
            else f"--folds must be at least 3, but is {n}: one fold is scored, the next chooses epoch and threshold, "
            "and the others are trained on."
        )
    rows = corpus.rows[split]
    unit_by_dialogue = _joined({row["dialogue_id"]: unit_of(row, corpus.name) for row in rows}, together)
    units = sorted(set(unit_by_dialogue.values()), key=lambda unit: (_hash(salt, unit), unit))
    if n > len(units):
        raise UsageError(f"--folds {n} is more than the {len(units)} dialogues of the {split} split. Use fewer.")
    of_unit = {unit: place % n + 1 for place, unit in enumerate(units)}
    fold_of = {dialogue: of_unit[unit] for dialogue, unit in unit_by_dialogue.items()}
    return Folds(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        n=n,
        salt=salt,
        fold_of=fold_of,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        counts=tuple(_counts(row for row in rows if fold_of[row["dialogue_id"]] == fold) for fold in range(1, n + 1)),
        synthetic=corpus.synthetic,
    )


def _joined(unit_of_dialogue: Mapping[str, str], together: Iterable[Sequence[str]]) -> dict[str, str]:
    """The unit of every dialogue, units of one group being one: the first of them in the order of their names."""
    first = {unit: unit for unit in unit_of_dialogue.values()}

    def root(unit: str) -> str:
        while first[unit] != unit:
            unit = first[unit]
        return unit

    for group in together:
        roots = sorted({root(unit_of_dialogue[dialogue]) for dialogue in group})
        first |= dict.fromkeys(roots, roots[0])
    return {dialogue: root(unit) for dialogue, unit in unit_of_dialogue.items()}


def _hash(salt: str, unit: str) -> str:
    return hashlib.sha256(f"{salt}\0{unit}".encode("utf-8", "surrogatepass")).hexdigest()


def _counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(dialogues=0, utterances=0, pairs=0, candidates=0)
    for row in rows:
        found["dialogues"] += 1
        found["utterances"] += len(row["utterances"])
        found["candidates"] += len(row["pairs"])
        found["pairs"] += sum(pair["label"] == 0 for pair in row["pairs"])
        found["pairs"] += len(row.get("gold_outside_candidates") or [])
    return dict(found)


def fold_corpus(corpus: Corpus, folds: Folds, fold: int) -> Corpus:
    """The data of one fold: it is the test split, and is trained on by nothing.

    Args:
        corpus: The whole corpus.
        folds: Its folds.
        fold: The fold, from 1.

    Returns:
        A corpus with train (without the fold), validation and test (the fold). Validation is the corpus's own; where
        the folds part validation itself, or there is none, it is the next fold, which is not trained on either.

    Raises:
        InvalidDataError: The folds are of another corpus, or of another state of it.
        UsageError: There is no such fold.
    """
    folds.check_corpus(corpus)
    folds.check_fold(fold)
    own_validation = folds.split != "validation" and "validation" in corpus.rows
    chosen = 0 if own_validation else folds.validation_fold(fold)
    of_split: dict[str, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
    for row in corpus.rows[folds.split]:
        its = folds.fold_of[row["dialogue_id"]]
        of_split["test" if its == fold else "validation" if its == chosen else "train"].append(row)
    if own_validation:
        of_split["validation"] = corpus.rows["validation"]
    chooses = "" if own_validation else f", fold {chosen} as validation"
    return replace(
        with_rows(corpus, of_split),
        missing_splits=(),
        part=folds.word(fold),
        parted=frozenset(("test",) if own_validation else ("test", "validation")),
        part_words=f"test is fold {fold} of {folds.n} of the {folds.split} split (folds {folds.digest}){chooses}",
    )


def write_folds(path: Path, folds: Folds) -> None:
    """Writes folds as JSON; the file appears whole or not at all.

    Args:
        path: The file.
        folds: The folds.

    Raises:
        UsageError: The place cannot be written to.
    """
    content = {
        "format_version": _FORMAT_VERSION,
        "corpus": folds.corpus,
        "config_name": folds.config_name,
        "synthetic": folds.synthetic,
        "split": folds.split,
        "folds": folds.n,
        "salt": folds.salt,
        "digest": folds.digest,
        "data_fingerprint": folds.data_fingerprint,
        "text_fingerprint": folds.text_fingerprint,
        "counts": [{"fold": fold, **counts} for fold, counts in enumerate(folds.counts, start=1)],
        "fold_of": dict(folds.fold_of),
    }
    write_json(path, {**content, _FILE_DIGEST: _digest_of_file(content)})


def read_folds(path: str | Path) -> Folds:
    """Reads what :func:`write_folds` wrote.

    Args:
        path: The file.

    Returns:
        The folds.

    Raises:
        UsageError: A number is given in place of a file.
        MissingDataError: There is no such file.
        InvalidDataError: It does not hold folds, or was changed.
    """
    path = Path(path)
    if path.name.isdecimal() and not path.exists():
        raise UsageError(
            f"--folds {path} is no file: a single run takes the file of folds, such as runs/cv/folds.json, and --fold, "
            "one of them. iemomecp cross-validate makes it; there --folds is how many."
        )
    content = read_json(path)
    advice = "Put it back from a copy, or remove it with the runs that were made with it."
    if not isinstance(content, dict) or content.get("format_version") != _FORMAT_VERSION:
        found = shown(content.get("format_version")) if isinstance(content, dict) else "none"
        raise InvalidDataError(
            f"{path} is no file of folds that this version reads (format_version {found}, expected {_FORMAT_VERSION}). "
            f"{advice}"
        )
    for name, fits in _FITS.items():
        if not fits(content.get(name)):
            raise InvalidDataError(
                f"{path}: {name} is {shown(content.get(name))}, which no file of folds has. {advice}"
            )
    n = content["folds"]
    counts = tuple({key: one[key] for key in _COUNTS} for one in content["counts"])
    strange = [name for name, fold in content["fold_of"].items() if not is_integer(fold) or not 1 <= fold <= n]
    if strange:
        raise InvalidDataError(
            f"{path}: the fold of dialogue {shown(strange[0])} is {shown(content['fold_of'][strange[0]])}; expected 1 "
            f"to {n}. {advice}"
        )
    found_folds = Folds(
        **{name: content[name] for name in ("corpus", "config_name", "split", "salt", "fold_of")},
        n=n,
        data_fingerprint=content["data_fingerprint"],
        text_fingerprint=content["text_fingerprint"],
        counts=counts,
        synthetic=content["synthetic"],
    )
    # The digest of folds is of what scores depend on; salt, counts and names are told by that of the file, which files
    # of earlier versions lack.
    of_file = content.pop(_FILE_DIGEST, None)
    changed = of_file is not None and of_file != _digest_of_file(content)
    if changed or found_folds.digest != content["digest"] or len(counts) != n:
        raise InvalidDataError(f"{path} was changed after it was written: its digest is another. {advice}")
    return found_folds


def _digest_of_file(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_COUNTS = ("dialogues", "utterances", "pairs", "candidates")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and all(is_integer(one.get(name)) and one[name] >= 0 for name in _COUNTS) for one in value
    )


_FITS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("corpus", "config_name", "salt", "digest", "data_fingerprint", "text_fingerprint"), _is_text),
    "split": lambda value: value in _SPLITS,
    "folds": lambda value: is_integer(value) and 2 <= value <= 100_000,
    "synthetic": lambda value: isinstance(value, bool),
    "counts": _are_counts,
    "fold_of": lambda value: isinstance(value, dict) and bool(value),
}
"""What each field must hold."""
