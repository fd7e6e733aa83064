"""Training dialogues of further corpora (``--train_with``), mixed into the train split of a pair scorer's corpus.

They are learned from and nothing else: validation and test, class weights, the distance prior and the structural
baselines stay the main corpus's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, get_args

from iemomecp_dataset.benchmark.runs.contamination import SplitData, shared_dialogues, splits_of
from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP, corpus_of_config, further_splits, pair_classes
from iemomecp_dataset.corpus import Corpus, FurtherTraining, corpus_of, load_corpus
from iemomecp_dataset.errors import MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.options import PairConfig
from iemomecp_dataset.schema import SPLITS, Row, canonical_split

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.options import DataOptions

__all__ = ["AskedCorpus", "asked_corpora", "further_remarks", "further_training_data", "with_further_corpora"]

_CONFIGS: tuple[str, ...] = tuple(name for part in get_args(PairConfig) for name in get_args(part) or (part,))


@dataclass(frozen=True)
class AskedCorpus:
    """One entry of ``--train_with``.

    Attributes:
        key: What names it in messages, records and ``--train_with_weights``: ``reccon``, or ``mecad:validation``.
        config_name: Its configuration.
        split: The split that is trained on.
        folder: Its data folder.
        weight: Dialogues of it in an epoch, as a share of those that there are.
    """

    key: str
    config_name: str
    split: str
    folder: str
    weight: float


def asked_corpora(train_with: Sequence[str], weights: Sequence[str] = ()) -> tuple[AskedCorpus, ...]:
    """Reads ``--train_with`` and ``--train_with_weights``.

    Args:
        train_with: ``CORPUS=DIR`` or ``CORPUS:SPLIT=DIR``; the split is train unless it is given.
        weights: ``CORPUS=WEIGHT`` or ``CORPUS:SPLIT=WEIGHT``, for any of them; 1 for the others.

    Returns:
        The entries, in the order in which they are given.

    Raises:
        UsageError: An entry has another form, names no corpus of pairs or no split, or is given twice; or a weight is
            not a positive number, or that of a corpus that is not given.

    Example:
        >>> for one in asked_corpora(["reccon=data/reccon", "mecad:valid=data/mecad"], ["reccon=0.5"]):
        ...     print(one.key, one.config_name, one.split, one.folder, one.weight)
        reccon reccon train data/reccon 0.5
        mecad:validation mecad validation data/mecad 1.0
    """
    # From Python a single text stands for one entry.
    train_with, weights = ([given] if isinstance(given, str) else given for given in (train_with, weights))
    found: dict[str, AskedCorpus] = {}
    for text in train_with:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise UsageError(f"--train_with takes CORPUS=DIR or CORPUS:SPLIT=DIR, such as reccon=DIR, but is {text!r}.")
        key, config_name, split = _key_of("--train_with", name)
        if key in found:
            raise UsageError(f"--train_with names {key} twice. Leave one out.")
        found[key] = AskedCorpus(key, config_name, split, folder, 1.0)
    seen = set[str]()
    for text in weights:
        name, equals, value = text.partition("=")
        key, *_ = _key_of("--train_with_weights", name)
        if key not in found:
            advice = did_you_mean(key, found) if found else "Give --train_with, too."
            raise UsageError(f"--train_with_weights names {key}, which --train_with does not. {advice}")
        if key in seen:
            raise UsageError(f"--train_with_weights names {key} twice. Leave one out.")
        seen.add(key)
        found[key] = replace(found[key], weight=_weight_of(text, value if equals else ""))
    return tuple(found.values())


def _key_of(option: str, name: str) -> tuple[str, str, str]:
    """The key, the configuration and the split that a text before the equals sign names."""
    config_name, colon, split = name.partition(":")
    if config_name not in _CONFIGS:
        raise UsageError(f"{option} names {config_name!r}, which is no corpus of pairs. "
                         f"{did_you_mean(config_name, _CONFIGS)}")  # fmt: skip
    split = canonical_split(split) if colon else "train"
    known = (*SPLITS, *further_splits(config_name))
    if split not in known:
        raise UsageError(f"{option}: {config_name} has no split {split!r}. {did_you_mean(split, known)}")
    return config_name if split == "train" else f"{config_name}:{split}", config_name, split


def _weight_of(text: str, value: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        weight = math.nan
    if not 0 < weight <= 1000:
        raise UsageError(
            f"--train_with_weights takes CORPUS=WEIGHT with a weight above 0 and at most 1000, such as reccon=0.5, "
            f"but is {text!r}."
        )
    return weight


def with_further_corpora(corpus: Corpus, options: DataOptions) -> Corpus:
    """Loads the training dialogues of further corpora, and leaves out those that validation or test know.

    Args:
        corpus: The main corpus.
        options: Which further corpora, with which weights.

    Returns:
        The main corpus, unchanged but for its ``further`` training data.

    Raises:
        UsageError: A further corpus is the main one, or has other pair classes or another language; only one of the two
            is synthetic; the main corpus has no validation split; or every dialogue of a further corpus is in
            validation or test.
        IemomecpError: What loading it raises.
    """
    asked = asked_corpora(options.train_with, options.train_with_weights)
    if not asked:
        return corpus
    if "validation" not in corpus.rows:
        raise MissingDataError(
            f"--train_with needs a validation split of {corpus.name}: epoch and threshold would be chosen on train, "
            "where further corpora are mixed in. Give data with a validation split."
        )
    for one in asked:
        _check_fits(one, corpus, other_languages=options.train_with_other_languages)
    further = [_further(one, corpus) for one in asked]
    for one, loaded in zip(asked, further, strict=True):
        if loaded.corpus.synthetic != corpus.synthetic:
            which = (one.key, corpus.name) if loaded.corpus.synthetic else (corpus.name, one.key)
            raise UsageError(
                f"--train_with cannot mix synthetic and real dialogues: {which[0]} is synthetic, {which[1]} is not. "
                f"Leave {one.key} out."
            )
    return replace(corpus, further=tuple(further))


def _check_fits(asked: AskedCorpus, corpus: Corpus, *, other_languages: bool) -> None:
    name = corpus_of_config(asked.config_name)
    if name == corpus.name:
        raise UsageError(
            f"--train_with {asked.key} names the main corpus, {corpus.name}, itself. Name other corpora; its own train "
            "split is trained on anyway."
        )
    classes = pair_classes(asked.config_name)
    if classes != corpus.class_names:
        binary = " Use --config_name source_binary." * (corpus.config_name == "3class")
        binary = binary or " Use source_binary in its place." * (asked.config_name == "3class")
        raise UsageError(
            f"--train_with {asked.key} has the pair classes {', '.join(classes)}, but {corpus.name} "
            f"({corpus.config_name}) has {', '.join(corpus.class_names)}: they cannot be mixed."
            f"{binary or ' Leave it out.'}"
        )
    own, its = _language(corpus.name), _language(name)
    if own is not None and own != its and not other_languages:
        raise UsageError(
            f"--train_with {asked.key} is in another language ({its}) than {corpus.name} ({own}). Leave it out, or "
            "give --train_with_other_languages, with a text encoder that knows both."
        )


def _language(corpus: str) -> str | None:
    """Its language; None for dialogues in memory."""
    if corpus == IEMOMECP:
        return "en"
    return CORPORA[corpus].language if corpus in CORPORA else None


def _further(asked: AskedCorpus, main: Corpus) -> FurtherTraining:
    """Loads one further corpus, with the candidates that it and the main one have, without what is scored."""
    space = _candidates(asked.config_name, main)
    of_iemomecp = corpus_of_config(asked.config_name) == IEMOMECP
    loaded = load_corpus(
        asked.config_name,
        asked.folder,
        split=asked.split,
        candidates=None if of_iemomecp else space,
        emotions="common",
    )
    loaded.require_pairs()
    rows = loaded.rows[asked.split]
    scored = [one for one in splits_of(main) if one.split != "train"]
    data = SplitData(loaded.name, "train", rows, loaded.data_dir, loaded.ecf_map)
    shared = shared_dialogues(data, scored)
    kept = [row for row in rows if row["dialogue_id"] not in shared]
    if not kept:
        raise UsageError(
            f"--train_with {asked.key}: all {len(rows)} dialogues are in validation or test of {main.name}, too. Leave "
            "it out."
        )
    excluded: dict[str, list[str]] = {}
    for dialogue, split in shared.items():
        excluded.setdefault(split, []).append(dialogue)
    left_out = 0
    if of_iemomecp:
        kept, left_out = _past_alone(kept)
    corpus = corpus_of(
        {"train": cast("list[Row]", kept)},
        config_name=asked.config_name,
        candidates=None if of_iemomecp else space,
        class_names=loaded.class_names,
        emotion_names=loaded.emotion_names,
        synthetic=loaded.synthetic,
        missing=(),
    )
    corpus = replace(corpus, candidates=space, data_dir=loaded.data_dir, ecf_map=loaded.ecf_map)
    return FurtherTraining(asked.key, corpus, asked.split, asked.weight, excluded, left_out)


def _candidates(config_name: str, main: Corpus) -> CandidateSpace:
    """The candidate space of a further corpus: the main one's, as far as the further one labels it.

    A pair whose cause is after its target is unlabelled, and no negative example, where nobody was asked for it.
    """
    name = corpus_of_config(config_name)
    if name == IEMOMECP or not CORPORA[name].labels_later_causes:
        return "past"
    return "all" if any((table.distances < 0).any() for table in main.tables.values()) else "past"


def _past_alone(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Rows without the candidates whose cause is after its target, and how many these were."""
    kept = [{**row, "pairs": [p for p in row["pairs"] if p["cause_turn"] <= p["target_turn"]]} for row in rows]
    return kept, sum(len(row["pairs"]) - len(new["pairs"]) for row, new in zip(rows, kept, strict=True))


def further_remarks(corpus: Corpus) -> list[str]:
    """States what a corpus is trained with, and what of that was left out.

    Args:
        corpus: The main corpus.

    Returns:
        One sentence per further corpus, and one on what is computed on the main corpus alone; nothing without any.
    """
    remarks = []
    for one in corpus.further:
        facts = one.facts
        counted = ", ".join(f"{len(ids)} that {corpus.name}/{split} has, too" for split, ids in one.excluded.items())
        left_out = f"; left out: {counted}" if counted else "; none of them is in validation or test"
        if one.later_candidates_left_out:
            left_out += f"; {one.later_candidates_left_out} candidates with a later cause are left out"
        remarks.append(
            f"Trained with {facts['dialogues']} dialogues of {one.key} as well ({facts['utterances']} utterances, "
            f"{facts['gold_pairs']} gold pairs, candidates {facts['candidates']}; {facts['dialogues_per_epoch']} "
            f"dialogues an epoch){left_out}."
        )
    if remarks:
        unknown = "" if "test" in corpus.rows else " There is no test split here, so what it shares is unknown."
        remarks.append(
            f"Class weights, distance prior and structural baselines are computed on {corpus.name} alone.{unknown}"
        )
    return remarks


def further_training_data(
    config: Mapping[str, Any], trained_with: Mapping[str, Mapping[str, Any]] | None = None
) -> list[SplitData]:
    """Reads the further training data of an earlier run.

    Args:
        config: Its options by name, as ``config.yaml`` holds them.
        trained_with: What its record states of them, where there is one: dialogues that it left out are left out here.

    Returns:
        One entry per further corpus, as train; none for a run on one corpus.

    Raises:
        IemomecpError: It cannot be read.
    """
    found = []
    for asked in asked_corpora(config.get("train_with") or (), config.get("train_with_weights") or ()):
        loaded = load_corpus(asked.config_name, asked.folder, split=asked.split)
        left_out = {id_ for ids in (trained_with or {}).get(asked.key, {}).get("excluded", {}).values() for id_ in ids}
        rows = [row for row in loaded.rows[asked.split] if row["dialogue_id"] not in left_out]
        found.append(SplitData(loaded.name, "train", rows, loaded.data_dir, loaded.ecf_map))
    return found
