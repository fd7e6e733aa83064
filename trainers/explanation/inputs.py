"""What a run of explanations reads beside the dialogues: frames, faces, and what other runs predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.features import FeatureTable, read_card, read_feature_table
from iemomecp_dataset.features.faces.table import FaceTable
from iemomecp_dataset.features.frames.store import FrameStore
from iemomecp_dataset.features.store import check_store
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.trainers.dialogue.emotion_inputs import EmotionInputs, read_emotion_inputs
from iemomecp_dataset.trainers.explanation.items import Faces, Key
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "ClipVectors",
    "ExplanationInputs",
    "cause_turns_of_rows",
    "decided_causes",
    "explanation_features",
    "face_lines",
    "face_vectors",
    "frame_vectors",
    "named_emotions",
    "predicted_causes",
    "read_inputs",
]

Vectors = Callable[[str], NDArray[Any] | None]

_PAIRS_AT_ONCE = 32
_SHOWN = 5


@dataclass(frozen=True)
class ExplanationInputs:
    """What is read beside the dialogues.

    Attributes:
        frames: Frame tokens by utterance id; None without.
        frame_size: Their width; 0 without.
        faces: Face vectors by utterance id; None without.
        face_size: Their width; 0 without.
        face_lines: Lines of text about faces; None without.
        emotions: By dialogue and turn the name of a predicted emotion; None where they are not asked for.
        causes: By dialogue and target turn the predicted cause turns; likewise.
        missing: By split, how many utterances to explain have no clip in the store.
        missing_faces: By split, how many of them have no face vector, or no face in the table.
        unexamined_faces: By split, how many of the latter have a clip that could not be examined; None without a table.
    """

    frames: Vectors | None = None
    frame_size: int = 0
    faces: Vectors | None = None
    face_size: int = 0
    face_lines: Faces | None = None
    emotions: Mapping[Key, str] | None = None
    causes: Mapping[Key, Sequence[int]] | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    missing_faces: Mapping[str, int] | None = None
    unexamined_faces: Mapping[str, int] | None = None


def read_inputs(options: ExplanationTrainingOptions, corpus: Corpus) -> ExplanationInputs:
    """Reads what the options ask for.

    Args:
        options: The run's options.
        corpus: Its data.

    Raises:
        IemomecpError: It is not there, does not fit, or too many clips are missing.
    """
    corpus = _read_splits(options, corpus)
    data, targets = options.data, _targets(corpus)
    ids = list(dict.fromkeys(u for of_split in targets.values() for u in of_split))
    found: dict[str, Any] = {}
    for store in (data.frames, data.face_features if options.faces == "feature" else None):
        if store:
            check_store(store, corpus=corpus.name, synthetic=corpus.synthetic)
    if data.frames:
        frames = frame_vectors(data.frames, ids, data.max_missing_features)
        found |= {
            "frames": frames.vectors,
            "frame_size": frames.size,
            "missing": _lacking(targets, frames.present.__contains__),
        }
    if options.faces == "feature":
        faces = face_vectors(str(data.face_features), ids, data.max_missing_features)
        found |= {
            "faces": faces.vectors,
            "face_size": faces.size,
            "missing_faces": _lacking(targets, faces.present.__contains__),
        }
    if options.faces == "label":
        table = FaceTable.read(str(data.faces_table))
        lines = face_lines(table, ids, data.max_missing_features, name=str(data.faces_table))
        unexamined = table.not_examined(ids)
        found |= {
            "face_lines": lines,
            "missing_faces": _lacking(targets, lambda u: lines(u) is not None),
            "unexamined_faces": _lacking(targets, lambda u: u not in unexamined),
        }
    if options.model.emotion_from:
        found["emotions"] = named_emotions(read_emotion_inputs(options.model.emotion_from, corpus), corpus)
    if options.model.causes_from:
        found["causes"] = predicted_causes(options.model.causes_from, corpus)
    return ExplanationInputs(**found)


def _read_splits(options: ExplanationTrainingOptions, corpus: Corpus) -> Corpus:
    """The corpus, without train where it is not used: other runs need not have predicted it then."""
    if options.uses_train or not corpus.rows.keys() - {"train"}:
        return corpus
    return replace(corpus, rows={split: rows for split, rows in corpus.rows.items() if split != "train"})


@dataclass(frozen=True)
class ClipVectors:
    """Vectors of clips.

    Attributes:
        vectors: ``(K, d)`` by utterance id, any number of them per clip; None for a clip without.
        size: Their width ``d``.
        present: Which of the utterances that were asked for have some.
    """

    vectors: Vectors
    size: int
    present: frozenset[str]


def frame_vectors(given: str | Path | FrameStore, utterance_ids: Sequence[str], tolerance: float) -> ClipVectors:
    """Opens a store of frame tokens.

    Args:
        given: The store, or its folder.
        utterance_ids: What is to be explained.
        tolerance: Share of them that may lack tokens.

    Raises:
        MissingDataError: There is no finished store.
        InvalidDataError: More lack tokens, or it is a store of face vectors.
    """
    store = given if isinstance(given, FrameStore) else FrameStore.open(given)
    if store.content == "faces":
        raise InvalidDataError(f"{store.path} holds face vectors, not frame tokens. Give it as face_features.")
    store.require(utterance_ids, tolerance=tolerance)
    return ClipVectors(store.tokens, store.size, frozenset(u for u in utterance_ids if u in store))


def face_vectors(
    given: str | Path | FrameStore | FeatureTable, utterance_ids: Sequence[str], tolerance: float
) -> ClipVectors:
    """Opens vectors of faces: several per clip, or one per utterance.

    Args:
        given: A store of :func:`~iemomecp_dataset.features.faces.detecting.write_face_vectors`, one vector per track;
            or a feature store or Parquet file with one vector per utterance. Or what opening it gives.
        utterance_ids: What is to be explained.
        tolerance: Share of them that may lack vectors. Clips that were examined and have no face do not count.

    Raises:
        MissingDataError: There is no store.
        InvalidDataError: More lack vectors, or it is a store of frame tokens.
    """
    store = _opened_faces(given)
    if isinstance(store, FrameStore):
        if store.content == "frames":
            raise InvalidDataError(f"{store.path} holds frame tokens, not face vectors. Give it as frames.")
        store.require(utterance_ids, tolerance=tolerance, what="face vectors", accepted=("no_faces",))
        return ClipVectors(store.tokens, store.size, frozenset(u for u in utterance_ids if u in store))
    vectors = store.select(sorted(set(utterance_ids)), tolerance=tolerance)
    return ClipVectors(lambda u: vectors[u][None] if u in vectors else None, store.size, frozenset(vectors))


def _opened_faces(given: str | Path | FrameStore | FeatureTable) -> FrameStore | FeatureTable:
    if isinstance(given, FrameStore | FeatureTable):
        return given
    path = Path(given)
    if path.is_dir() and read_card(path).modality == "frames":
        return FrameStore.open(path)
    return read_feature_table(path)


def face_lines(
    given: str | Path | FaceTable, utterance_ids: Sequence[str], tolerance: float, *, name: str = "The face table"
) -> Faces:
    """Opens a table of faces, for lines of text about them.

    Args:
        given: The table, or its file.
        utterance_ids: What is to be explained.
        tolerance: Share of them whose clip may not have been examined. Clips that were examined and have no face do not
            count.
        name: What a table that is given is called in messages.

    Raises:
        MissingDataError: The file is not there.
        InvalidDataError: It is no face table, has none of the utterances, or more clips could not be examined.
    """
    table = given if isinstance(given, FaceTable) else FaceTable.read(given)
    place = name if isinstance(given, FaceTable) else str(given)
    # Tools leave out clips without any face, so that a share of them is no sign of damage.
    if utterance_ids and not any(u in table.frames or u in table.missing for u in utterance_ids):
        raise InvalidDataError(
            f"{place}: none of the {len(utterance_ids)} "
            f"utterances to explain is in it, such as {utterance_ids[0]}: these are faces of another corpus. Give "
            "those of this corpus."
        )
    wanted, unexamined = set(utterance_ids), table.not_examined(utterance_ids)
    if len(unexamined) > tolerance * len(wanted):
        shown = ", ".join(f"{key} ({why})" for key, why in islice(unexamined.items(), _SHOWN))
        raise InvalidDataError(
            f"{place}: the clips of {len(unexamined)} of {len(wanted)} utterances could not be examined "
            f"({len(unexamined) / len(wanted):.1%}, more than the {tolerance:.1%} allowed), for example {shown}. "
            "Repair the clips and make the table again, or raise --max_missing_features: these utterances then have no "
            "line about faces."
        )
    return table.line


def _targets(corpus: Corpus) -> dict[str, list[str]]:
    """By split the utterance ids of what is explained."""
    found: dict[str, list[str]] = {}
    for split, rows in corpus.rows.items():
        ids = {(row["dialogue_id"], u["turn"]): u["utterance_id"] for row in rows for u in row["utterances"]}
        table = explanation_table(rows)
        found[split] = [ids[key] for key in zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), strict=True)]
    return found


def _lacking(targets: Mapping[str, Sequence[str]], has: Callable[[str], bool]) -> dict[str, int]:
    """By split how many utterances to explain lack something."""
    return {split: sum(not has(u) for u in of_split) for split, of_split in targets.items()}


def named_emotions(predicted: EmotionInputs, corpus: Corpus) -> dict[Key, str]:
    """The most probable emotion of each utterance.

    Args:
        predicted: Probabilities of a run.
        corpus: The data that they are for.
    """
    return {
        (row["dialogue_id"], utterance["turn"]): predicted.class_names[int(vector.argmax())]
        for split, rows in corpus.rows.items()
        for row, of_row in zip(rows, predicted.probabilities[split], strict=True)
        for utterance, vector in zip(row["utterances"], of_row, strict=True)
    }


def predicted_causes(folder: str | Path, corpus: Corpus) -> dict[Key, tuple[int, ...]]:
    """Applies a pair scorer to all dialogues, so that it may have been trained on another corpus.

    Args:
        folder: Folder of its run.
        corpus: The data.

    Returns:
        By dialogue and target turn the turns that its decision rule calls causes; targets without any are absent.

    Raises:
        UsageError: The run is of another kind, or its model uses audio, video or predicted emotions.
        IemomecpError: As :func:`~iemomecp_dataset.trainers.predict`.
    """
    return cause_turns_of_rows(folder, [row for of_split in corpus.rows.values() for row in of_split])


def cause_turns_of_rows(
    folder: str | Path | PreTrainedModel, rows: Sequence[Mapping[str, Any]]
) -> dict[Key, tuple[int, ...]]:
    """The same for dialogues in a list.

    Args:
        folder: Folder of the run of a pair scorer, or the scorer.
        rows: Dialogues.

    Raises:
        UsageError: As :func:`predicted_causes`.
    """
    from iemomecp_dataset.trainers.inference import predict
    from iemomecp_dataset.trainers.pipelines.loading import load_scorer
    from iemomecp_dataset.trainers.scorers import scorer_of_model_type

    model = load_scorer(folder) if isinstance(folder, str | Path) else folder
    name = folder if isinstance(folder, str | Path) else type(folder).__name__
    entry = scorer_of_model_type(model.config.model_type)
    if entry is None or entry.task != "pairs":
        raise UsageError(
            f"--causes_from {name} is not the run of a pair scorer. Give one, such as of trainers/fusion.py."
        )
    used = [name for name in ("audio_size", "video_size", "emotion_input_names") if getattr(model.config, name, None)]
    if used:
        raise UsageError(
            f"--causes_from {name}: its model reads more than text ({', '.join(used)} of its configuration). Give a "
            "run with --modalities t and without --emotion_from."
        )
    rows = [{**row, "pairs": None} for row in rows]
    probabilities = predict(model, rows, batch_size=_PAIRS_AT_ONCE)
    return decided_causes(rows, probabilities, getattr(model.config, "threshold", None))


def decided_causes(
    rows: Sequence[Mapping[str, Any]], probabilities: Sequence[NDArray[np.float64]], threshold: float | None
) -> dict[Key, tuple[int, ...]]:
    """The cause turns of each target.

    Args:
        rows: Dialogues.
        probabilities: For each ``(n * n, C)``, all pairs in (target, cause) order.
        threshold: Smallest probability of class 0 that makes a pair positive; None for the most probable class.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1}, {"turn": 2}]}
        >>> positive = np.array([0.1, 0.2, 0.9, 0.8])
        >>> decided_causes([row], [np.stack([positive, 1 - positive], axis=1)], None)
        {('d', 2): (1, 2)}
    """
    found = {}
    for row, of_row in zip(rows, probabilities, strict=True):
        turns = [utterance["turn"] for utterance in row["utterances"]]
        positive = (decide(of_row, threshold) == 0).reshape(len(turns), len(turns))
        for target, causes in zip(turns, positive, strict=True):
            if causes.any():
                found[row["dialogue_id"], target] = tuple(
                    t for t, is_cause in zip(turns, causes, strict=True) if is_cause
                )
    return found


def explanation_features(options: ExplanationTrainingOptions, corpus: Corpus) -> dict[str, dict[str, Any]]:
    """What the record states of everything that is read beside the texts; what cannot be read now is absent.

    Args:
        options: The run's options.
        corpus: Its data.
    """
    found: dict[str, dict[str, Any]] = {}
    corpus = _read_splits(options, corpus)
    with suppress(IemomecpError):
        if options.data.frames:
            store = FrameStore.open(options.data.frames)
            missing = sum(u not in store for of_split in _targets(corpus).values() for u in of_split)
            manifest = store.manifest
            found["video"] = {
                **{name: manifest.get(name) for name in ("model", "revision", "settings")},
                "width": store.size,
                "digest": store.digest,
                "missing": missing,
            }
    given = options.data.faces_table or options.data.face_features
    if given:
        with suppress(IemomecpError):
            facts = _facts_of_file if Path(given).is_file() else _facts_of_store
            found["faces"] = facts(Path(given), options, corpus)
    with suppress(IemomecpError):
        if options.model.emotion_from:
            found["emotion"] = read_emotion_inputs(options.model.emotion_from, corpus).facts
    if (
        options.model.causes_from
        and (weights := Path(options.model.causes_from) / "model" / "model.safetensors").is_file()
    ):
        found["causes"] = {"model": Path(options.model.causes_from).resolve().name, "revision": None, "settings": None,
                           "width": None, "digest": file_digest(weights)[:16], "missing": 0}  # fmt: skip
    return found


def _facts_of_file(path: Path, options: ExplanationTrainingOptions, corpus: Corpus) -> dict[str, Any]:
    """What the record states of a table of faces, or of vectors in a Parquet file."""
    ids = [u for of_split in _targets(corpus).values() for u in of_split]
    if options.faces == "label":
        missing = len(FaceTable.read(path).not_examined(ids))
    else:
        missing = read_feature_table(path).digest(ids)[1]
    return {
        "model": None,
        "revision": None,
        "settings": {"as": options.faces},
        "width": None,
        "digest": file_digest(path)[:16],
        "missing": missing,
    }


def _facts_of_store(folder: Path, options: ExplanationTrainingOptions, corpus: Corpus) -> dict[str, Any]:
    """The same of a folder of face vectors: its content, not its name, is what tells two apart."""
    card, store = read_card(folder), _opened_faces(folder)
    ids = [u for of_split in _targets(corpus).values() for u in of_split]
    if isinstance(store, FrameStore):
        digest, missing = store.digest, sum(u not in store for u in ids)
    else:
        digest, missing = store.digest(ids)
    return {
        "model": card.model,
        "revision": card.revision,
        "settings": {**card.settings, "as": options.faces},
        "width": store.size,
        "digest": digest,
        "missing": missing,
    }
