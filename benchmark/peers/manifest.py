"""The manifest of an export: what was written for a peer, in which order, so that its output can be read back.

A peer's output names dialogues by number or by position alone. The manifest has the ids of ours, the fingerprints of
the data, the choices of the export and the counts of everything that it rewrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.peers import PEERS
from iemomecp_dataset.benchmark.peers.positives import POSITIVES
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer, json_kind
from iemomecp_dataset.files import read_json, write_json
from iemomecp_dataset.schema import SPLITS

__all__ = [
    "MANIFEST_FILE",
    "Manifest",
    "ManifestDialogue",
    "check_manifest",
    "read_manifest",
    "write_manifest",
]

MANIFEST_FILE = "manifest.json"

_FORMAT = 1
_MOVED_FIRST = "moved_first"


@dataclass(frozen=True)
class ManifestDialogue:
    """One dialogue of an export.

    Attributes:
        peer_id: Its id in the peer's files.
        dialogue_id: Its id in our rows.
        n_turns: Its utterances.
    """

    peer_id: str
    dialogue_id: str
    n_turns: int


@dataclass(frozen=True)
class Manifest:
    """What was exported.

    Attributes:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.PEERS`.
        config_name: The configuration that was exported.
        options: ``positive``; ``candidates`` and ``forward_pairs`` as the loader takes them; ``modalities``;
            ``text_version`` of ECF; and the peer's own choices. Where another dialogue of train was moved to the front,
            ``moved_first`` is its ``dialogue_id``.
        fingerprints: By split, see :func:`~iemomecp_dataset.fingerprints.data_fingerprint`.
        text_fingerprints: By split, see :func:`~iemomecp_dataset.fingerprints.text_fingerprint`.
        emotions: The peer's name by ours.
        splits: By split its dialogues, in the order of the peer's file.
        counts: By split how many there are of each kind of rewriting.
        notes: What a row of the peer must state, one sentence each.
        synthetic: Whether a program made the dialogues.
    """

    peer: str
    config_name: str
    options: Mapping[str, Any]
    fingerprints: Mapping[str, str]
    text_fingerprints: Mapping[str, str]
    emotions: Mapping[str, str]
    splits: Mapping[str, tuple[ManifestDialogue, ...]]
    counts: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    synthetic: bool


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes a manifest as ``manifest.json``.

    Args:
        folder: Folder of the export.
        manifest: The manifest.

    Raises:
        UsageError: The place cannot be written to.
    """
    content = {
        "format": _FORMAT,
        "peer": manifest.peer,
        "config_name": manifest.config_name,
        "synthetic": manifest.synthetic,
        "options": dict(manifest.options),
        "emotions": dict(manifest.emotions),
        "notes": list(manifest.notes),
        "counts": {split: dict(counts) for split, counts in manifest.counts.items()},
        "fingerprints": dict(manifest.fingerprints),
        "text_fingerprints": dict(manifest.text_fingerprints),
        "splits": {
            split: [[dialogue.peer_id, dialogue.dialogue_id, dialogue.n_turns] for dialogue in dialogues]
            for split, dialogues in manifest.splits.items()
        },
    }
    write_json(folder / MANIFEST_FILE, content)


def read_manifest(path: str | Path) -> Manifest:
    """Reads a manifest.

    Args:
        path: The file, or the folder of the export.

    Returns:
        The manifest.

    Raises:
        MissingDataError: It is not there.
        InvalidDataError: It is not a manifest of this format.
    """
    path = Path(path)
    if path.is_dir():
        path = path / MANIFEST_FILE
    if not path.is_file():
        raise MissingDataError(
            f"There is no manifest {path}. The export writes it beside the peer's files; without it the dialogues of "
            "the output are not known. Export again, and start the peer on these files."
        )
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT or content.get("peer") not in PEERS:
        found = content.get("format") if isinstance(content, dict) else json_kind(content)
        raise InvalidDataError(
            f"{path}: not the manifest of an export: expected 'format': {_FORMAT} and 'peer' of {', '.join(PEERS)}, "
            f"found format {excerpt(found)!r}."
        )
    reader = _Reader(path, content)
    splits = {split: reader.dialogues(split) for split in reader.of_splits("splits", list)}
    options, emotions = reader.field("options", dict), reader.field("emotions", dict)
    if not all(isinstance(name, str) for name in emotions.values()):
        raise InvalidDataError(f"{path}: the names of 'emotions' must be text. Export again.")
    features = options.get("features", {})
    if not isinstance(features, dict) or not all(isinstance(array, dict) for array in features.values()):
        raise InvalidDataError(f"{path}: 'features' of 'options' must have an object per modality. Export again.")
    if options.get("positive") not in POSITIVES:
        raise InvalidDataError(
            f"{path}: 'positive' of 'options' is {excerpt(options.get('positive'))!r}, and must be one of "
            f"{', '.join(POSITIVES)}. Export again."
        )
    counts = reader.of_splits("counts", dict)
    for split, of_split in counts.items():
        if not all(is_integer(count) for count in of_split.values()):
            raise InvalidDataError(f"{path}: the counts of {split} must be whole numbers.")
    return Manifest(
        peer=content["peer"],
        config_name=reader.field("config_name", str),
        options=options,
        fingerprints=reader.of_splits("fingerprints", str),
        text_fingerprints=reader.of_splits("text_fingerprints", str),
        emotions=emotions,
        splits=splits,
        counts=counts,
        notes=tuple(str(note) for note in reader.field("notes", list)),
        synthetic=reader.field("synthetic", bool),
    )


def check_manifest(manifest: Manifest, corpus: Corpus) -> None:
    """Refuses data that is not what was exported.

    Args:
        manifest: The manifest.
        corpus: The data, loaded with the options that the manifest has.

    Raises:
        InvalidDataError: Another configuration, changed labels or texts, another number or order of dialogues, or
            another number of turns.
    """
    if corpus.config_name != manifest.config_name:
        raise InvalidDataError(
            f"The manifest is of {manifest.config_name}, but the data is {corpus.config_name}. Give the data that was "
            "exported."
        )
    for split, dialogues in manifest.splits.items():
        if split not in corpus.rows:
            raise InvalidDataError(
                f"The manifest has the split {split} with {len(dialogues)} dialogues, and the data does not have it. "
                "Give the data that was exported."
            )
        _check_dialogues(split, dialogues, corpus.rows[split], manifest.options.get(_MOVED_FIRST))
        for what, exported, found in (
            ("labels", manifest.fingerprints.get(split), corpus.fingerprints[split]),
            ("texts or speakers", manifest.text_fingerprints.get(split), corpus.text_fingerprints[split]),
        ):
            if exported != found:
                raise InvalidDataError(
                    f"{split}: the {what} have changed since the export: their fingerprint was {exported} and is "
                    f"{found}. Give the data and the options of that export, or export again and start the peer anew."
                )


def _check_dialogues(
    split: str, dialogues: tuple[ManifestDialogue, ...], rows: list[dict[str, Any]], moved_first: str | None
) -> None:
    if len(dialogues) != len(rows):
        raise InvalidDataError(
            f"{split}: {len(dialogues)} dialogues were exported, and the data has {len(rows)}. Give the data that was "
            "exported."
        )
    ordered = rows
    if split == "train" and moved_first is not None:
        ordered = [row for row in rows if row["dialogue_id"] == moved_first]
        ordered += [row for row in rows if row["dialogue_id"] != moved_first]
    for place, (dialogue, row) in enumerate(zip(dialogues, ordered, strict=True), start=1):
        if dialogue.dialogue_id != row["dialogue_id"]:
            raise InvalidDataError(
                f"{split}: dialogue {place} of the export is {dialogue.dialogue_id!r}, and that of the data is "
                f"{row['dialogue_id']!r}. Give the data that was exported, in its order."
            )
        if dialogue.n_turns != len(row["utterances"]):
            raise InvalidDataError(
                f"{split}, dialogue {dialogue.dialogue_id!r}: {dialogue.n_turns} utterances were exported, and the "
                f"data has {len(row['utterances'])}. Give the data that was exported."
            )


@dataclass(frozen=True)
class _Reader:
    """Takes checked fields out of a decoded manifest."""

    path: Path
    content: Mapping[str, Any]

    def field(self, name: str, kind: type[Any]) -> Any:
        value = self.content.get(name)
        if not isinstance(value, kind):
            raise InvalidDataError(
                f"{self.path}: {name!r} must be {_KINDS[kind]}, but is {json_kind(value)}. Export again."
            )
        return value

    def of_splits(self, name: str, kind: type[Any]) -> dict[str, Any]:
        value: dict[str, Any] = self.field(name, dict)
        if not set(value) <= set(SPLITS) or not all(isinstance(of_split, kind) for of_split in value.values()):
            raise InvalidDataError(
                f"{self.path}: {name!r} must have {_KINDS[kind]} for each of {', '.join(SPLITS)} that was exported. "
                "Export again."
            )
        return value

    def dialogues(self, split: str) -> tuple[ManifestDialogue, ...]:
        found: list[ManifestDialogue] = []
        for place, entry in enumerate(self.content["splits"][split], start=1):
            if not (
                isinstance(entry, list)
                and len(entry) == 3
                and isinstance(entry[0], str)
                and isinstance(entry[1], str)
                and is_integer(entry[2])
            ):
                raise InvalidDataError(
                    f"{self.path}, {split}, dialogue {place}: expected [peer's id, dialogue_id, number of turns], "
                    f"found {excerpt(entry, 60)}. Export again."
                )
            found.append(ManifestDialogue(*entry))
        if len({dialogue.peer_id for dialogue in found}) != len(found):
            raise InvalidDataError(f"{self.path}, {split}: two dialogues have the same id of the peer. Export again.")
        return tuple(found)


_KINDS = {str: "text", dict: "an object", list: "a list", bool: "true or false"}
