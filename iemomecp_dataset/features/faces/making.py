"""Makes a face table from the files of a tool, or a table and a store of face vectors from clips."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.faces.detecting import (
    ClipFaces,
    Face,
    FaceDetector,
    examine_clips,
    face_table,
    write_face_vectors,
)
from iemomecp_dataset.features.faces.examined import ExaminedClips
from iemomecp_dataset.features.faces.face_options import FaceOptions
from iemomecp_dataset.features.faces.importers import import_faces
from iemomecp_dataset.features.frames.store import MANIFEST_NAME, MAX_MISSING
from iemomecp_dataset.features.work_items import CorpusItems, WorkItem, corpus_items
from iemomecp_dataset.files import file_digest

__all__ = ["MadeFaces", "clip_names", "load_detector", "make_faces"]

_SHOWN = 3


@dataclass(frozen=True)
class MadeFaces:
    """What was made.

    Attributes:
        places: The files and folders that were written.
        source: Origin of the faces.
        statuses: Number of utterances by status: ``ok`` with a face, ``no_faces`` examined without any, else why not.
        examples: Some ``(utterance_id, reason)`` of each other status.
        n_faces: Faces over all frames.
        n_tracks: Tracks over all utterances.
    """

    places: tuple[Path, ...]
    source: str
    statuses: Mapping[str, int]
    examples: Mapping[str, Sequence[tuple[str, str]]]
    n_faces: int
    n_tracks: int


def make_faces(options: FaceOptions) -> MadeFaces:
    """Imports the faces of a tool, or finds, tracks and classifies those of a corpus's clips.

    Args:
        options: Source, places and corpus.

    Returns:
        What was made, with the number of utterances by status.

    Raises:
        UsageError: The options do not fit, a place is taken, or the detector cannot be loaded.
        MissingDataError: A file is not there, or the corpus names no clips.
        InvalidDataError: A file is not of the tool or the network, or more than 1 % of the clips are missing.
        MissingDependencyError: An extra is not installed; the message has the pip line.
    """
    options.check()
    for place in filter(None, (options.output_file, options.vectors_dir and f"{options.vectors_dir}/{MANIFEST_NAME}")):
        if Path(place).exists():
            raise UsageError(f"{place} exists already. Remove it, or choose another place.")
    return _import(options) if options.import_from else _examine(options)


def clip_names(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """By what files of tools call a clip the utterance that it is of.

    Args:
        rows: Dialogues by split.

    Returns:
        Utterance ids by themselves, by the name of the clip without suffix, and by folder and name. A name that several
        clips have in different folders, as in MELD's parts, is left out.

    Example:
        >>> utterances = [{"utterance_id": "u1", "video": "data/train/dia0_utt0.mp4"}]
        >>> sorted(clip_names({"train": [{"utterances": utterances}]}))
        ['dia0_utt0', 'train/dia0_utt0', 'u1']
    """
    owners: dict[str, set[str]] = {}
    for of_split in rows.values():
        for row in of_split:
            for utterance in row["utterances"]:
                key = utterance["utterance_id"]
                video = Path(utterance["video"]) if utterance.get("video") else None
                names = {key} if video is None else {key, video.stem, f"{video.parent.name}/{video.stem}"}
                for name in names:
                    owners.setdefault(name, set()).add(key)
    return {name: next(iter(keys)) for name, keys in owners.items() if len(keys) == 1}


def load_detector(reference: str) -> FaceDetector:
    """Loads a detector.

    Args:
        reference: ``module:function``; the module may lie in the current folder.

    Returns:
        The function, whose results are checked.

    Raises:
        UsageError: It has another form, there is no such module or function, or it is no function.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise UsageError(f"--detector {reference!r} must have the form module:function, such as my_detector:detect.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"--detector {reference}: its module needs the package {error.name!r}, which is not installed."
            ) from error
        raise UsageError(
            f"--detector {reference}: there is no module {error.name!r}. It must lie in the current folder, on "
            "PYTHONPATH, or be installed."
        ) from None
    function = getattr(module, name, None)
    if not callable(function):
        defined = [word for word in dir(module) if not word.startswith("_") and callable(getattr(module, word))]
        raise UsageError(f"--detector {reference}: {module_name} has no function {name!r}. "
                         f"{did_you_mean(name, defined)}")  # fmt: skip

    def detect(image: np.ndarray[Any, np.dtype[np.uint8]], /) -> Sequence[Face]:
        faces = function(image)
        strange = next((face for face in faces if not isinstance(face, Face)), None) if faces is not None else faces
        if faces is None or strange is not None:
            raise InvalidDataError(
                f"--detector {reference} must return a list of iemomecp_dataset.features.faces.detecting.Face for each "
                f"image, but has returned {'None' if faces is None else type(strange).__name__}."
            )
        return list(faces)

    return detect


def _import(options: FaceOptions) -> MadeFaces:
    corpus = None
    if options.data_dir:
        corpus = load_corpus(options.config_name, options.data_dir, for_training=False)
    table = import_faces(
        options.files,
        options.import_from,  # type: ignore[arg-type]
        utterance_of=None if corpus is None else clip_names(corpus.rows),
        frames_per_second=options.frames_per_second,
        ignore=options.ignore,
    )
    if corpus is not None:
        ids = dict.fromkeys(
            u["utterance_id"] for rows in corpus.rows.values() for row in rows for u in row["utterances"]
        )
        absent = {key: "not_in_source: the files have no line of it" for key in ids if key not in table.frames}
        source = f"SYNTHETIC corpus, {table.source}" if corpus.synthetic else table.source
        table = replace(table, missing={**table.missing, **absent}, source=source)
    path = Path(str(options.output_file))
    table.write(path)
    tracks = {(key, track) for key, track in zip(table.utterance_ids, table.tracks.tolist(), strict=True)}
    return _made((path,), table.source, set(table.utterance_ids), table.frames, table.missing,
                 len(table.utterance_ids), len(tracks))  # fmt: skip


def _examine(options: FaceOptions) -> MadeFaces:
    from iemomecp_dataset.features.decoding.video_decoding import require_video
    from iemomecp_dataset.features.encoders.devices import torch_device
    from iemomecp_dataset.features.encoders.model_loading import require_torch

    require_torch()
    require_video()
    from iemomecp_dataset.features.faces.ddamfn import load_ddamfn

    detector, order = load_detector(str(options.detector)), options.class_order
    model = load_ddamfn(str(options.ddamfn), order, mapping=options.mapping).to(torch_device(options.device, 0))
    corpus = corpus_items(
        ExtractionOptions(
            data_dir=str(options.data_dir),
            modality="frames",
            output_dir="",
            config_name=options.config_name,
            media_dir=options.media_dir,
            media_pattern=options.media_pattern,
            limit=options.limit,
        )
    )
    n_classes = len(order) if options.output_file else 0
    width = n_classes + (model.classifier.in_features if options.vectors_dir else 0)
    place = Path(str(options.output_file or options.vectors_dir))
    work = ExaminedClips(place.with_name(f"{place.name}.work"), _settings(options, corpus, width))
    if options.retry_missing:
        work.forget_missing()
    found, missing = _examined(work, options, corpus.items, detector, _outputs(model, options), width)
    _check_missing(place, missing, len(corpus.items), options.allow_missing)
    source = f"{'SYNTHETIC ' if corpus.synthetic else ''}{corpus.corpus}, {options.detector}, DDAMFN " \
             f"{Path(str(options.ddamfn)).name}"  # fmt: skip
    if options.output_file:
        of_classes = {key: replace(clip, outputs=clip.outputs[:, :n_classes]) for key, clip in found.items()}
        face_table(of_classes, missing, order, source=source).write(options.output_file)
    if options.vectors_dir:
        vectors = {key: replace(clip, outputs=clip.outputs[:, n_classes:]) for key, clip in found.items()}
        name = f"DDAMFN {Path(str(options.ddamfn)).name}"
        write_face_vectors(
            options.vectors_dir, vectors, missing, model=name, corpus=corpus.corpus, synthetic=corpus.synthetic
        )
    work.remove()
    return _made(
        tuple(Path(place) for place in (options.output_file, options.vectors_dir) if place),
        source,
        {key for key, clip in found.items() if len(clip.tracks)},
        {key: clip.n_frames for key, clip in found.items()},
        missing,
        sum(len(clip.tracks) for clip in found.values()),
        sum(len(np.unique(clip.tracks)) for clip in found.values()),
    )


def _outputs(model: Any, options: FaceOptions) -> Callable[[Any], Any]:
    """Probabilities, vectors, or both side by side."""
    from iemomecp_dataset.features.faces.ddamfn import classify_crops

    parts = [classify_crops(model, vectors=vectors)
             for vectors, place in ((False, options.output_file), (True, options.vectors_dir)) if place]  # fmt: skip
    return lambda crops: np.concatenate([part(crops) for part in parts], axis=1)


def _settings(options: FaceOptions, corpus: CorpusItems, width: int) -> dict[str, Any]:
    return {
        "utterances": corpus.digest,
        "media": hashlib.sha256("\n".join(str(item.media) for item in corpus.items).encode()).hexdigest()[:16],
        "detector": options.detector,
        "ddamfn": file_digest(Path(str(options.ddamfn)))[:16],
        "class_order": list(options.class_order),
        "mapping": options.mapping and file_digest(Path(options.mapping))[:16],
        "max_frames": options.max_frames,
        "min_score": options.min_score,
        "width": width,
    }


def _examined(
    work: ExaminedClips,
    options: FaceOptions,
    items: Sequence[WorkItem],
    detector: FaceDetector,
    classify: Callable[[Any], Any],
    width: int,
) -> tuple[dict[str, ClipFaces], dict[str, str]]:
    from tqdm.auto import tqdm

    found: dict[str, ClipFaces] = {}
    missing: dict[str, str] = {}
    with tqdm(total=len(items), desc="Examining faces", unit="clip", disable=options.quiet) as bar:
        for path, of_part in work.parts(items):
            if not path.is_file():
                part = examine_clips(
                    of_part,
                    detector,
                    classify,
                    width=width,
                    max_frames=options.max_frames,
                    min_score=options.min_score,
                    progress=False,
                    on_clip=bar.update,
                )
                work.write(path, *part)
            else:
                part = work.read(path)
                bar.update(len(of_part))
            found |= part[0]
            missing |= part[1]
    return found, missing


def _check_missing(place: Path, missing: Mapping[str, str], total: int, allowed: bool) -> None:
    if allowed or len(missing) <= MAX_MISSING * total:
        return
    counts = Counter(reason.partition(":")[0] for reason in missing.values())
    listed = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    examples = "; ".join(f"{key}: {reason.partition(': ')[2]}" for key, reason in list(missing.items())[:_SHOWN])
    raise InvalidDataError(
        f"{place}: {len(missing)} of {total} clips could not be examined ({len(missing) / total:.1%}, more than the "
        f"{MAX_MISSING:.0%} allowed): {listed}; for example {examples}. Repair the clips and add --retry_missing, or "
        "add --allow_missing; what is found is kept either way."
    )


def _made(
    places: tuple[Path, ...],
    source: str,
    with_faces: set[str],
    frames: Mapping[str, int],
    missing: Mapping[str, str],
    n_faces: int,
    n_tracks: int,
) -> MadeFaces:
    without = [key for key in frames if key not in with_faces]
    statuses = Counter({"ok": len(with_faces), "no_faces": len(without)})
    examples: dict[str, list[tuple[str, str]]] = {
        "no_faces": [(key, f"no face in {frames[key]} frames") for key in without[:_SHOWN]]
    }
    for key, text in missing.items():
        status, _, reason = text.partition(": ")
        statuses[status] += 1
        if len(examples.setdefault(status, [])) < _SHOWN:
            examples[status].append((key, reason))
    return MadeFaces(places, source, {name: n for name, n in statuses.items() if n}, examples, n_faces, n_tracks)
