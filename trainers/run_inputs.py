"""What a run reads, by content: data, texts, features, encoder and initial weights.

A run is continued, and its result stands, only while all of it is what it began with. Paths are not compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from iemomecp_dataset.benchmark.runs.contamination import SplitData, find_leaks, splits_of
from iemomecp_dataset.benchmark.runs.identity import features_told_by, origin_of
from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, RunResults, encoder_name, folder_of_run, read_results
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.features import read_card
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.folds import fold_corpus, read_folds
from iemomecp_dataset.trainers.dialogue.emotion_inputs import read_emotion_inputs
from iemomecp_dataset.trainers.encoders.vectors import feature_tables
from iemomecp_dataset.trainers.explanation.inputs import explanation_features
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import RunSettings, SharedData, circumstances, told_by_results
from iemomecp_dataset.trainers.pairs.further_corpora import further_training_data

__all__ = [
    "RunInputs",
    "applied_to_own_training",
    "begun_on_folded_split",
    "effective_batch_size",
    "marked_on_own_training",
    "origin_data",
    "run_inputs",
    "run_settings",
]

_ORIGINS = ("init_from", "emotion_from", "causes_from")
"""Options that name a run whose training data this one's results depend on."""


@dataclass(frozen=True)
class RunInputs:
    """What a run reads, by content.

    Attributes:
        data: Digest of dialogues, labels and candidates, by split.
        texts: Digest of texts and speakers, by split.
        features: By modality (``text``, ``audio``, ``video``; ``event`` for a second text stream) model, revision,
            settings, width, digest and missing count; a modality whose features cannot be read now is absent.
        initialized_from: What :func:`~iemomecp_dataset.benchmark.runs.identity.origin_of` states about the run that it
            begins with, or the digest of the weights alone; ``unknown`` where it cannot be read now; empty without.
        effective_batch_size: Examples, or padded tokens, per optimizer step over all processes; 0: unknown.
        trained_with: By further corpus what :attr:`~iemomecp_dataset.corpus.FurtherTraining.facts` states of it.
    """

    data: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    initialized_from: Mapping[str, Any] = field(default_factory=dict)
    effective_batch_size: int = 0
    trained_with: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @staticmethod
    def of_record(record: RunResults) -> RunInputs:
        """Reads what a finished run has recorded."""
        return RunInputs(
            record.data_fingerprint,
            record.text_fingerprint,
            record.features,
            record.initialized_from,
            record.effective_batch_size,
            record.trained_with,
        )

    @staticmethod
    def of_json(content: Mapping[str, Any]) -> RunInputs:
        """Reads what :meth:`to_json` gave."""
        return RunInputs(**content)

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    def changes(self, before: RunInputs) -> list[str]:
        """Lists what has changed; what is unknown on either side has not.

        Args:
            before: What the run began with.

        Returns:
            Phrases, for a sentence with "has changed".

        Example:
            >>> RunInputs({"train": "a", "test": "b"}).changes(RunInputs({"train": "a", "test": "c"}))
            ['the content of test']
        """
        now, then = self.to_json(), before.to_json()
        changed = [
            f"{what} of {', '.join(names)}"
            for what, part in (("the content", "data"), ("the text", "texts"))
            if now[part] and then[part] and (names := _differing(now[part], then[part]))
        ]
        for modality in sorted(now["features"].keys() & then["features"].keys()):
            one, other = now["features"][modality], then["features"][modality]
            known = [n for n in features_told_by(one) if one.get(n) is not None and other.get(n) is not None]
            if names := [n for n in known if one[n] != other[n]]:
                changed.append(f"{', '.join(names)} of the {modality} features")
        origins = [side["initialized_from"] for side in (then, now)]
        if origins[0] != origins[1] and not any("unknown" in origin for origin in origins):
            changed.append("the run that it begins with (--init_from)")
        further = [side["trained_with"] for side in (then, now)]
        for key in sorted({*further[0], *further[1]}):
            one, other = (side.get(key) for side in further)
            # A record states more of it than was known as the run began.
            stated = (one or {}).keys() & (other or {}).keys()
            if not stated or any(one[name] != other[name] for name in stated):
                changed.append(f"what is trained on of {key} (--train_with)")
        sizes = [side["effective_batch_size"] for side in (then, now)]
        if 0 not in sizes and sizes[0] != sizes[1]:
            changed.append(f"the effective batch size (from {sizes[0]} to {sizes[1]}; --batch_size is per process)")
        return changed


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def run_inputs(options: RunSettings, corpus: Corpus, processes: int) -> RunInputs:
    """Reads what a run is about to read, and describes it.

    Args:
        options: The run's options.
        corpus: Its data.
        processes: Number of processes that train together.

    Returns:
        The description. Features that are missing or cannot be read are absent from it: training itself then ends with
        the error that says what to do, while a finished run stands.
    """
    features: dict[str, dict[str, Any]] = {}
    if options.data.encodes_text:
        facts = _encoder_facts(options.model.text_encoder)
        features |= {stream: dict(facts) for stream in options.model.text_streams}
    ids = {u["utterance_id"] for rows in corpus.rows.values() for row in rows for u in row["utterances"]}
    for modality, read in feature_tables(cast(SharedData, options.data)).items():
        try:
            table = read()
        except IemomecpError:
            continue
        digest, missing = table.digest(ids)
        card = read_card(table.path) if table.path.is_dir() else None
        features[modality] = {
            "model": card.model if card else None,
            "revision": card.revision if card else None,
            "settings": dict(card.settings) if card else None,
            "width": table.size,
            "digest": digest,
            "missing": missing,
        }
    emotion_from = getattr(options.model, "emotion_from", None)
    if isinstance(options, ExplanationTrainingOptions):
        features |= explanation_features(options, corpus)
    elif emotion_from:
        with contextlib.suppress(IemomecpError):
            features["emotion"] = read_emotion_inputs(emotion_from, corpus).facts
    return RunInputs(
        corpus.fingerprints,
        corpus.text_fingerprints,
        features,
        _origin(options.model.init_from),
        effective_batch_size(options, processes),
        {one.key: one.facts for one in corpus.further},
    )


def _encoder_facts(name: str) -> dict[str, Any]:
    """Describes a text encoder from its files: none is loaded, and the Hub is not asked."""
    from iemomecp_dataset.features.encoders.model_loading import stored_model

    revision, config = stored_model(name)
    width = next((config[key] for key in ("hidden_size", "dim", "d_model") if key in config), None)
    return {"model": encoder_name(name), "revision": revision, "width": width, "missing": 0}


def _origin(folder: str | None) -> dict[str, Any]:
    if not folder:
        return {}
    path = Path(folder)
    run = folder_of_run(path)
    if (run / RESULTS_FILE).is_file():
        return origin_of(read_results(run))
    for model in (path / "model", path):
        if (model / "model.safetensors").is_file():
            return {"weights": _digest_of_weights(model)}
    return {"unknown": "no run and no weights there"}


def _digest_of_weights(model: Path) -> str:
    """Hashes the weights of a saved model, those of adapters and of a language model in its folders included."""
    files = sorted(model.rglob("*.safetensors"))
    digests = [(file.relative_to(model).as_posix(), file_digest(file)) for file in files]
    alone = digests[0][1] if len(digests) == 1 else hashlib.sha256(json.dumps(digests).encode()).hexdigest()
    return alone[:16]


def origin_data(options: RunSettings) -> tuple[list[SplitData], list[str]]:
    """Reads the training data of the runs that a run begins with, or takes emotions from, and of those before them.

    Args:
        options: The run's options.

    Returns:
        Their train splits; and a sentence for each that cannot be read, so that what it shares is unknown.
    """
    found, notes, seen = [], [], set[str]()
    before = [getattr(options.model, name, None) for name in _ORIGINS]
    while before:
        folder = before.pop(0)
        if not folder or folder in seen:
            continue
        seen.add(folder)
        try:
            splits, config = _trained_on(folder)
        except _NOT_READ as error:
            notes.append(
                f"The training data of {folder}, which the run begins with or takes emotions from, cannot be read, so "
                f"that what it shares with this data is unknown ({' '.join(str(error).split())[:160]})."
            )
            continue
        found += splits
        before += [config.get(name) for name in _ORIGINS]
    return found, notes


def begun_on_folded_split(options: RunSettings, corpus: Corpus, split: str) -> list[str]:
    """States where a run that this one begins with was trained on dialogues of a split that is parted into folds.

    Every fold would be scored by weights that know it.

    Args:
        options: The run's options.
        corpus: The whole corpus.
        split: The split that is parted.

    Returns:
        A sentence for each leak; nothing where what that run was trained on cannot be read, which :func:`origin_data`
        states.
    """
    earlier, _ = origin_data(options)
    # Leaks are between splits of different names.
    folded = SplitData(corpus.name, f"{split} in folds", corpus.rows[split], corpus.data_dir, corpus.ecf_map)
    return [str(leak) for leak in find_leaks([*earlier, folded])] if earlier else []


def marked_on_own_training(options: RunSettings, corpus: Corpus) -> list[str]:
    """States where the run that predicts causes was trained on dialogues that are now trained on with its marks.

    Its marks are better there than on validation and test, so that a model learns to trust them too much.

    Args:
        options: The run's options.
        corpus: The data.

    Returns:
        A sentence, or nothing: where no causes are predicted, train is not read, or what the other run was trained on
        cannot be read, which :func:`origin_data` states.
    """
    folder = getattr(options.model, "causes_from", None)
    if not folder or not options.uses_train or "train" not in corpus.rows:
        return []
    # Leaks are between splits of different names.
    marked = SplitData(corpus.name, "train with marks", corpus.rows["train"], corpus.data_dir, corpus.ecf_map)
    leaks = _shared_with_training(folder, marked)
    if not leaks:
        return []
    return [
        f"Causes on train are predicted by {Path(folder).name}, which was trained on some of these dialogues, so that "
        f"marks are better on train than on validation and test, and are trusted too much there: {leaks[0]}"
    ]


def applied_to_own_training(folder: str | Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """States where a run that predicts causes is applied to dialogues that it was trained on.

    Args:
        folder: The run.
        rows: The dialogues. They name no corpus, so that only their texts are compared.

    Returns:
        A sentence, or nothing: where no text is shared, or what the run was trained on cannot be read.
    """
    leaks = _shared_with_training(str(folder), SplitData("rows", "given here", rows))
    name = folder_of_run(folder).resolve().name
    return [
        f"The run {name}, which predicts the causes, was trained on some of these dialogues, so that its causes are "
        f"better there than on others: {leak}"
        for leak in leaks[:1]
    ]


def _shared_with_training(folder: str, data: SplitData) -> list[str]:
    """What dialogues share with the training data of a run; nothing where that cannot be read."""
    try:
        splits, _ = _trained_on(folder)
    except _NOT_READ:
        return []
    return [str(leak) for leak in find_leaks([*splits, data])]


def _trained_on(folder: str) -> tuple[list[SplitData], Mapping[str, Any]]:
    """The train split of a run, with its further corpora, none where it trained nothing; and its options."""
    config = read_yaml(folder_of_run(folder) / "config.yaml")
    if config.get("tuning") == "none":
        return [], config
    folds = read_folds(config["folds"]) if config.get("folds") else None
    corpus = load_corpus(
        config["config_name"],
        config["data_dir"],
        split="train" if folds is None else None,
        for_training=folds is None,
        candidates=config.get("candidates"),
        forward_pairs=config.get("forward_pairs"),
        validation=config.get("validation"),
        emotions=config.get("emotions"),
        **{name: config[name] for name in ("meld_root", "ecf_root", "ecf_map") if config.get(name)},
    )
    if folds is not None:
        corpus = fold_corpus(corpus, folds, config["fold"])
    train = [one for one in splits_of(corpus) if one.split == "train"]
    record = folder_of_run(folder) / RESULTS_FILE
    trained_with = read_results(record.parent).trained_with if config.get("train_with") and record.is_file() else None
    return [*train, *further_training_data(config, trained_with)], config


_NOT_READ = (OSError, ValueError, KeyError, TypeError, AttributeError)


def effective_batch_size(options: RunSettings, processes: int) -> int:
    """Examples per optimizer step, or padded tokens with ``--batch_tokens``, over all processes; 0 without training.

    Example:
        >>> from iemomecp_dataset.trainers.options import TrainingOptions
        >>> options = TrainingOptions.from_flat({"batch_size": 4, "gradient_accumulation_steps": 2})
        >>> effective_batch_size(options, processes=3)
        24
    """
    optimization = options.optimization
    if optimization.step_size[0] in options.without_effect():
        return 0
    return optimization.step_size[1] * processes * optimization.gradient_accumulation_steps


def run_settings(options: RunSettings, processes: int, precision: str) -> dict[str, Any]:
    """Lists the options that make the system, with the values that took effect.

    Args:
        options: The run's options.
        processes: Number of processes that train together.
        precision: The precision that was computed in: ``no``, ``bf16`` or ``fp16``.

    Returns:
        By option its value, but for those without effect. ``batch_size`` or ``batch_tokens`` is the effective one
        (:func:`effective_batch_size`).

    Example:
        >>> from iemomecp_dataset.trainers.options import TrainingOptions
        >>> found = run_settings(TrainingOptions.from_flat({"batch_size": 4, "output_dir": "runs/x"}), 2, "no")
        >>> found["batch_size"], found["mixed_precision"], "output_dir" in found, "text_encoder" in found
        (8, 'no', False, False)
    """
    unused = options.without_effect()
    left_out = circumstances(type(options)) | told_by_results(type(options)).keys() | unused
    found = {name: value for name, value in options.flat().items() if name not in left_out}
    step = options.optimization.step_size[0]
    found |= {} if step in unused else {step: effective_batch_size(options, processes)}
    return {**found, "mixed_precision": precision}
