"""Frame store: the frame tokens of clips by utterance, memory-mapped, with a reason for each clip without tokens.

``manifest.json`` is written last. It states model, revision, layer, settings, corpus and a digest of all tokens, and
lists the clips that are missing or cannot be decoded.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.frames.shards import FrameShard, read_frame_shard, write_frame_shard
from iemomecp_dataset.features.store.store_card import UNKNOWN_CORPUS, StoreCard, claim_store, read_card
from iemomecp_dataset.features.store.store_index import missing_shards
from iemomecp_dataset.features.store.store_layout import shard_name
from iemomecp_dataset.features.store.store_rows import STATUSES, StoreRow, finite_row
from iemomecp_dataset.files import file_digest, read_json, write_json

__all__ = ["MANIFEST_NAME", "MAX_MISSING", "FrameStore", "FrameStoreWriter", "manifest_statuses", "write_manifest"]

MANIFEST_NAME = "manifest.json"
"""Written last; a store without it is not finished."""

MAX_MISSING = 0.01
"""Share of the clips of a corpus that may lack tokens, unless more are allowed explicitly."""

_LOGGER = logging.getLogger(__name__)
_FORMAT = 1
_SHOWN = 5
_EXAMPLES = 3


class FrameStore:
    """Frame tokens of clips.

    Attributes:
        path: Folder of the store.
        manifest: Content of ``manifest.json``: ``model``, ``revision``, ``layer``, ``settings``, ``corpus``,
            ``digest``, ``missing`` (status and reason by utterance) and more.
        size: Width d of a token.
        missing: Status and reason by utterance, for the clips without tokens.

    See Also:
        :meth:`open`.
    """

    def __init__(
        self,
        path: Path,
        manifest: Mapping[str, Any],
        shards: Sequence[FrameShard],
        places: Mapping[str, tuple[int, int, int, int]],
    ):
        self.path, self.manifest = path, manifest
        self.size = int(manifest["size"])
        self.missing: Mapping[str, str] = {
            key: f"{entry['status']}: {entry['reason']}" for key, entry in manifest["missing"].items()
        }
        self._shards, self._places = shards, places

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> FrameStore:
        """Opens a finished store; its tokens stay on disk until they are used.

        Args:
            path: Folder of the store.
            verify: Also compares the SHA-256 of each shard with the manifest, which reads every byte once.

        Returns:
            The store.

        Raises:
            MissingDataError: The folder is not a frame store, or is not finished.
            InvalidDataError: Manifest and shards do not belong together.
        """
        folder = Path(path)
        card = read_card(folder)
        if card.modality != "frames":
            raise InvalidDataError(
                f"{folder} contains {card.statement}, not frames. Create a frame store with "
                f"{command_hint('extract', '--modality', 'frames', '…')}."
            )
        if not (folder / MANIFEST_NAME).is_file():
            left = len(missing_shards(folder, card.n_shards))
            if not left:
                _check_refused(folder, card)
            raise MissingDataError(
                f"{folder} is not finished: {left} of its {card.n_shards} shards and {MANIFEST_NAME} are missing. Run "
                "the same command again; it continues."
            )
        manifest = read_json(folder / MANIFEST_NAME)
        lacking = {"format", "size", "shards", "missing", "digest"} - (
            manifest.keys() if isinstance(manifest, dict) else set()
        )
        if lacking or manifest["format"] != _FORMAT or manifest["size"] != card.size or not _well_formed(manifest):
            raise InvalidDataError(
                f"{folder / MANIFEST_NAME} is not the manifest of this store. Remove this file and run the extraction "
                "again: it is compiled from the shards."
            )
        shards = [
            read_frame_shard(folder / shard_name(number, card.n_shards), card.size) for number in range(card.n_shards)
        ]
        _check_shards(folder, manifest["shards"], shards, verify)
        places = {
            record.utterance_id: (number, first, length, record.n_frames)
            for number, shard in enumerate(shards)
            for record, first, length in shard.places()
            if length
        }
        if zeros := manifest.get("zeros"):
            _LOGGER.warning(
                "%s: the tokens of %d of %d clips are zeros alone, such as %s. A model takes them for a picture: check "
                "how they were made.",
                folder,
                len(zeros),
                len(places),
                ", ".join(map(str, zeros[:3])),
            )
        return cls(folder, manifest, shards, places)

    def tokens(self, utterance_id: str) -> NDArray[np.float16] | None:
        """Looks up the tokens of a clip.

        Args:
            utterance_id: Id of the utterance.

        Returns:
            ``(T + P, d)`` float16, temporal tokens first, read-only and memory-mapped; None if the clip has none.
        """
        place = self._places.get(utterance_id)
        if place is None:
            return None
        number, first, length, _ = place
        return self._shards[number].tokens[first : first + length]

    def n_frames(self, utterance_id: str) -> int:
        """Number T of frames of a clip, which is the number of its temporal tokens; 0 if the clip has no tokens."""
        place = self._places.get(utterance_id)
        return 0 if place is None else place[3]

    def __contains__(self, utterance_id: object) -> bool:
        return utterance_id in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def digest(self) -> str:
        """Hash of all tokens, 16 hexadecimal characters."""
        return str(self.manifest["digest"])

    @property
    def content(self) -> str | None:
        """``frames`` of an extraction, ``faces`` of detected faces, else None: vectors that were computed elsewhere."""
        settings = self.manifest.get("settings") or {}
        stated = settings.get("content")
        return str(stated) if stated else "frames" if "max_frames" in settings else None

    def require(
        self,
        utterance_ids: Iterable[str],
        *,
        tolerance: float = MAX_MISSING,
        what: str = "frames",
        accepted: Collection[str] = (),
    ) -> int:
        """Checks that enough utterances have tokens.

        Args:
            utterance_ids: Ids of the utterances; repeated ones count once.
            tolerance: Share of them that may lack tokens.
            what: What the tokens are, for the message.
            accepted: Statuses that are no sign of damage, such as ``no_faces``: clips that have one are not counted
                among those that lack tokens.

        Returns:
            How many lack them.

        Raises:
            InvalidDataError: More than ``tolerance`` lack tokens, or the store has none of the utterances; the message
                has counts, examples and reasons.
        """
        wanted = list(dict.fromkeys(utterance_ids))
        found = {*self._places, *(key for key, why in self.missing.items() if why.partition(":")[0] in accepted)}
        lacking = [key for key in wanted if key not in found]
        if wanted and all(key not in self._places and key not in self.missing for key in wanted):
            raise InvalidDataError(
                f"{self.path}: none of the {len(wanted)} requested utterances is in it, such as {wanted[0]}: these are "
                f"{what} of another corpus ({self.manifest.get('corpus', 'unknown')}). Give those of this corpus."
            )
        if len(lacking) > tolerance * len(wanted):
            shown = [f"{key} ({self.missing.get(key, 'not in the store')})" for key in lacking[:_SHOWN]]
            raise InvalidDataError(
                f"{self.path}: {len(lacking)} of {len(wanted)} utterances have no {what} "
                f"({len(lacking) / len(wanted):.1%}, more than the {tolerance:.1%} allowed), for example "
                f"{', '.join(shown)}. Repair the clips and extract them again, or allow missing ones explicitly."
            )
        return len(lacking)


class FrameStoreWriter:
    """Writes a frame store from tokens in memory, such as those of a tower outside ``transformers``.

    Args:
        folder: New or empty folder.
        size: Width of a token.
        model: Name of the tower.
        revision: Revision of its weights.
        layer: Hidden layer that the tokens are of.
        settings: Further settings to state in the manifest.
        corpus: Name of the corpus.
        synthetic: Whether the corpus is synthetic.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with FrameStoreWriter(Path(folder) / "frames", size=2, model="random") as writer:
        ...         writer.add("u1", np.ones((3, 2)), n_frames=1)
        ...         writer.add_missing("u2", "missing_media", "u2.mp4 does not exist")
        ...     store = FrameStore.open(Path(folder) / "frames")
        ...     store.tokens("u1").shape, store.tokens("u2"), store.missing["u2"]
        ((3, 2), None, 'missing_media: u2.mp4 does not exist')

    See Also:
        :func:`iemomecp_dataset.features.extraction.extract` computes a store from clips, resumably.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        size: int,
        model: str,
        revision: str = "unknown",
        layer: int | None = None,
        settings: Mapping[str, str | int | float | bool | None] | None = None,
        corpus: str = UNKNOWN_CORPUS,
        synthetic: bool = False,
    ):
        self._folder, self._rows = Path(folder), dict[str, StoreRow]()
        self._facts = {
            "modality": "frames",
            "model": model,
            "revision": revision,
            "corpus": corpus,
            "corpus_fingerprints": {},
            "n_shards": 1,
            "synthetic": synthetic,
            "size": size,
            "dtype": "float16",
            "settings": {"frame_layer": layer, **(settings or {})},
            "versions": {},
        }

    def add(self, utterance_id: str, tokens: NDArray[Any], *, n_frames: int, seconds: float | None = None) -> None:
        """Adds the tokens of a clip.

        Args:
            utterance_id: Id of the utterance.
            tokens: ``(T + P, d)``, temporal tokens first; finite as float16.
            n_frames: T.
            seconds: Duration of the clip.

        Raises:
            UsageError: The shape does not fit, or the id was added before.
        """
        if tokens.ndim != 2 or tokens.shape[1] != self._facts["size"] or not 0 <= n_frames <= len(tokens) > 0:
            raise UsageError(
                f"utterance {utterance_id}: expected tokens (T + P, {self._facts['size']}) with T of 0 to T + P, found "
                f"{tokens.shape} and T = {n_frames}."
            )
        self._put(finite_row(StoreRow(utterance_id, "ok", tokens, n_frames, seconds), "float16"))

    def add_missing(self, utterance_id: str, status: str, reason: str) -> None:
        """Adds a clip without tokens.

        Args:
            utterance_id: Id of the utterance.
            status: One of :data:`~iemomecp_dataset.features.store.store_rows.STATUSES` except ``ok``.
            reason: One sentence.

        Raises:
            UsageError: There is no such status, or the id was added before.
        """
        if status == "ok" or status not in STATUSES:
            raise UsageError(f"utterance {utterance_id}: a clip without tokens has no status {status!r}.")
        self._put(StoreRow(utterance_id, status, reason=reason))

    def close(self) -> None:
        """Writes card, shard and manifest."""
        ids = list(self._rows)
        digest = hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16]
        card = StoreCard(utterances=digest, n_utterances=len(ids), **self._facts)  # type: ignore[arg-type]
        claim_store(self._folder, card)
        write_frame_shard(self._folder / shard_name(0, 1), list(self._rows.values()), card.size)
        write_manifest(self._folder, card, ids, allow_missing=True)

    def _put(self, row: StoreRow) -> None:
        if row.utterance_id in self._rows:
            raise UsageError(f"utterance {row.utterance_id} was added before. Add each utterance once.")
        self._rows[row.utterance_id] = row

    def __enter__(self) -> FrameStoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


def write_manifest(
    folder: Path, card: StoreCard, utterance_ids: Sequence[str], *, allow_missing: bool = False
) -> Counter[str]:
    """Compiles the manifest of a store whose shards are all written.

    Args:
        folder: The store.
        card: Its card.
        utterance_ids: All utterances.
        allow_missing: Whether more than 1 % of them may lack tokens.

    Returns:
        Number of utterances by status.

    Raises:
        InvalidDataError: More clips lack tokens than is allowed (the message counts and lists them), a shard is missing
            or damaged, or the shards do not have each utterance exactly once.
    """
    missing: dict[str, dict[str, str | None]] = {}
    notes: dict[str, str] = {}
    shards: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    seen: list[str] = []
    zeros: list[str] = []
    digest = hashlib.sha256()
    n_tokens = 0
    for number in range(card.n_shards):
        shard = read_frame_shard(folder / shard_name(number, card.n_shards), card.size)
        for record in shard.records:
            seen.append(record.utterance_id)
            counts[record.status] += 1
            if record.status != "ok":
                missing[record.utterance_id] = {"status": record.status, "reason": record.reason}
            if record.note:
                notes[record.utterance_id] = record.note
        zeros += [
            record.utterance_id
            for record, first, length in shard.places()
            if length and not shard.tokens[first : first + length].any()
        ]
        n_tokens += len(shard.tokens)
        sha = file_digest(shard.path)
        digest.update(sha.encode())
        shards.append({"name": shard.path.name, "bytes": shard.path.stat().st_size, "sha256": sha})
    if sorted(seen) != sorted(utterance_ids):
        raise InvalidDataError(
            f"{folder}: the shards do not have the utterances of this extraction, each once. Extract into a new folder."
        )
    _check_share(folder, missing, len(seen), allow_missing)
    card_facts = asdict(card)
    write_json(
        folder / MANIFEST_NAME,
        {"format": _FORMAT}
        | {name: card_facts[name] for name in ("model", "revision", "corpus", "corpus_fingerprints", "utterances")}
        | {
            "layer": card.settings.get("frame_layer"),
            "size": card.size,
            "dtype": card.dtype,
            "synthetic": card.synthetic,
            "settings": card_facts["settings"],
            "versions": card_facts["versions"],
            "n_clips": counts["ok"],
            "n_tokens": n_tokens,
            "digest": digest.hexdigest()[:16],
            "shards": shards,
            "statuses": dict(sorted(counts.items())),
            "missing": dict(sorted(missing.items())),
            "notes": dict(sorted(notes.items())),
        }
        | ({"zeros": sorted(zeros)} if zeros else {}),
    )
    return counts


def manifest_statuses(folder: Path) -> tuple[Counter[str], dict[str, list[tuple[str, str]]]]:
    """Counts the statuses of a finished store by its manifest.

    Args:
        folder: The store.

    Returns:
        Number of clips by status, and up to three ``(utterance_id, reason)`` of each status except ``ok``.
    """
    manifest = read_json(folder / MANIFEST_NAME)
    examples: dict[str, list[tuple[str, str]]] = {}
    for key, entry in manifest["missing"].items():
        if len(examples.setdefault(entry["status"], [])) < _EXAMPLES:
            examples[entry["status"]].append((key, entry["reason"] or ""))
    return Counter(manifest["statuses"]), examples


def _well_formed(manifest: Mapping[str, Any]) -> bool:
    """Whether the entries of a manifest that are used have the types that they are written with."""
    missing, shards = manifest["missing"], manifest["shards"]
    return (
        isinstance(missing, dict)
        and all(isinstance(entry, dict) and {"status", "reason"} <= entry.keys() for entry in missing.values())
        and isinstance(shards, list)
        and all(isinstance(entry, dict) for entry in shards)
        and isinstance(manifest["digest"], str)
        and isinstance(manifest.get("zeros") or [], list)
        and isinstance(manifest.get("settings") or {}, dict)
    )


def _check_refused(folder: Path, card: StoreCard) -> None:
    """Says so where all shards are written and too many clips lack tokens, for which an extraction is refused.

    Raises:
        MissingDataError: It is so.
    """
    shards = [
        read_frame_shard(folder / shard_name(number, card.n_shards), card.size) for number in range(card.n_shards)
    ]
    statuses = Counter(record.status for shard in shards for record in shard.records)
    total = sum(statuses.values())
    missing = total - statuses.pop("ok", 0)
    if missing > MAX_MISSING * total:
        listed = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        raise MissingDataError(
            f"{folder} is not finished: its extraction was refused, as {missing} of {total} clips have no frames "
            f"({listed}; more than {MAX_MISSING:.0%}). Repair the clips and run the same command again with "
            "--retry_missing, or with --allow_missing to keep the store without them."
        )


def _check_share(folder: Path, missing: Mapping[str, Mapping[str, str | None]], total: int, allowed: bool) -> None:
    if allowed or len(missing) <= MAX_MISSING * total:
        return
    counts = Counter(str(entry["status"]) for entry in missing.values())
    listed = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    examples = "; ".join(f"{key}: {entry['reason']}" for key, entry in list(missing.items())[:_SHOWN])
    raise InvalidDataError(
        f"{folder}: {len(missing)} of {total} clips have no frames ({len(missing) / total:.1%}, more than the "
        f"{MAX_MISSING:.0%} allowed): {listed}; for example {examples}. Repair the clips and add --retry_missing, or "
        "add --allow_missing to keep the store without them; what is computed is kept either way."
    )


def _check_shards(folder: Path, recorded: Any, shards: Sequence[FrameShard], verify: bool) -> None:
    expected = recorded if isinstance(recorded, list) else []
    found = [{"name": shard.path.name, "bytes": shard.path.stat().st_size} for shard in shards]
    for place, facts in enumerate(found):
        stated = expected[place] if place < len(expected) else {}
        if {name: stated.get(name) for name in facts} != facts:
            raise InvalidDataError(
                f"{folder / str(facts['name'])} does not match {MANIFEST_NAME}, which expects {stated.get('name')} of "
                f"{stated.get('bytes')} bytes. Remove {MANIFEST_NAME} and run the extraction again."
            )
        if verify and file_digest(folder / str(facts["name"])) != stated.get("sha256"):
            raise InvalidDataError(
                f"{folder / str(facts['name'])} is damaged: its SHA-256 differs from the manifest. Remove this file "
                f"and {MANIFEST_NAME}, and run the extraction again."
            )
