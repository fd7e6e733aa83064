"""Validates the label files: lists every violated requirement with file, dialogue and pair."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.overlay.chunks import Overlay, OverlayChunk, Problem
from iemomecp_dataset.overlay.reading import LabelFile, find_label_files, read_label_file
from iemomecp_dataset.schema import SPLITS

__all__ = ["check_overlay", "read_overlay"]

_SHOWN = 5


def read_overlay(label_dir: Path) -> Overlay:
    """Reads and validates the label files of a folder.

    Args:
        label_dir: Folder of the label files.

    Returns:
        The overlay.

    Raises:
        MissingDataError: The folder or the file of a split is missing.
        InvalidDataError: The files are invalid; the message has the first problems and the total number.

    See Also:
        :func:`check_overlay` returns all problems.
    """
    overlay, problems = check_overlay(label_dir)
    if problems or overlay is None:
        shown = "\n  ".join(str(problem) for problem in problems[:_SHOWN])
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise InvalidDataError(
            f"The label files have {len(problems)} problem(s):\n  {shown}{more}\n"
            f"`{command_hint('validate', f'--label-dir {shlex.quote(str(label_dir))}')}` lists them all."
        )
    return overlay


def check_overlay(label_dir: Path) -> tuple[Overlay | None, list[Problem]]:
    """Reads and validates the label files of a folder, and lists all problems.

    Args:
        label_dir: Folder of the label files.

    Returns:
        The overlay, or None if a file is not a label file at all; and all problems.

    Raises:
        MissingDataError: The folder or the file of a split is missing.

    See Also:
        :func:`read_overlay` raises if there is any problem.
    """
    files = find_label_files(label_dir)
    problems: list[Problem] = []
    read: dict[str, LabelFile] = {}
    for split in SPLITS:
        versions: list[tuple[Path, LabelFile]] = []
        for path in files[split]:
            try:
                versions.append((path, read_label_file(path, split)))
            except InvalidDataError as error:
                message = str(error).removeprefix(f"{path}").lstrip(",: ")
                problems.append(Problem(path, None, message))
        for path, version in versions:
            problems.extend(version.problems)
            for chunk in version.chunks:
                # A chunk with unreadable pairs is reported already, and would be reported again as incomplete.
                broken = any(problem.dialogue_id == chunk.dialogue_id for problem in version.problems)
                problems.extend(() if broken else _chunk_problems(path, chunk))
        problems.extend(_disagreements(versions))
        if versions:
            read[split] = versions[0][1]
    problems.extend(_repeated_ids({split: (files[split][0], file.chunks) for split, file in read.items()}))
    if len(read) < len(SPLITS):
        return None, problems
    return (
        Overlay(
            chunks={split: read[split].chunks for split in SPLITS},
            files={split: files[split][0] for split in SPLITS},
            synthetic=any(file.synthetic for file in read.values()),
        ),
        problems,
    )


def _chunk_problems(path: Path, chunk: OverlayChunk) -> Iterator[Problem]:
    n = chunk.num_utterances
    seen: set[tuple[int, int]] = set()
    for pair in chunk.pairs:
        key = (pair.target, pair.cause)
        if not (1 <= pair.target <= n and 1 <= pair.cause <= n):
            yield Problem(
                path,
                chunk.dialogue_id,
                f"pair ({pair.target}, {pair.cause}) is out of range; the dialogue has turns 1 to {n}.",
            )
        elif key in seen:
            yield Problem(path, chunk.dialogue_id, f"pair ({pair.target}, {pair.cause}) occurs twice.")
        seen.add(key)
    backward = sum(1 <= cause <= target <= n for target, cause in seen)
    expected = n * (n + 1) // 2
    if backward < expected:
        missing = _missing(n, seen)
        yield Problem(
            path,
            chunk.dialogue_id,
            f"expected all {expected} pairs with cause <= target for {n} utterances, found {backward}; missing: "
            f"{', '.join(map(str, missing))}{' and more' if expected - backward > len(missing) else ''}.",
        )


def _missing(n: int, seen: set[tuple[int, int]]) -> list[tuple[int, int]]:
    missing = []
    for target in range(1, n + 1):
        for cause in range(1, target + 1):
            if (target, cause) not in seen:
                missing.append((target, cause))
                if len(missing) == _SHOWN:
                    return missing
    return missing


def _disagreements(versions: list[tuple[Path, LabelFile]]) -> Iterator[Problem]:
    if len(versions) < 2:
        return
    (first_path, first), *others = versions
    by_id = {chunk.dialogue_id: _comparable(chunk) for chunk in first.chunks}
    for path, other in others:
        ids = {chunk.dialogue_id for chunk in other.chunks}
        odd = sorted(by_id.keys() ^ ids)
        if odd:
            yield Problem(
                path, odd[0], f"is not in both this file and {first_path.name}; the two disagree. Remove one of them."
            )
            continue
        for chunk in other.chunks:
            if _comparable(chunk) != by_id[chunk.dialogue_id]:
                difference = _difference(by_id[chunk.dialogue_id], _comparable(chunk), first_path)
                yield Problem(path, chunk.dialogue_id, difference)
                break


def _comparable(chunk: OverlayChunk) -> OverlayChunk:
    """Replaces empty text by None, as CSV cannot distinguish the two."""
    pairs = (
        replace(pair, source=pair.source or None, taxonomy_label=pair.taxonomy_label or None) for pair in chunk.pairs
    )
    return replace(chunk, pairs=tuple(pairs))


def _difference(first: OverlayChunk, second: OverlayChunk, first_path: Path) -> str:
    for a, b in zip(first.pairs, second.pairs, strict=False):
        if a != b:
            return f"pair ({b.target}, {b.cause}) differs from {first_path.name}; the two disagree. Remove one of them."
    return f"differs from {first_path.name}; the two disagree. Remove one of them."


def _repeated_ids(splits: Mapping[str, tuple[Path, Iterable[OverlayChunk]]]) -> Iterator[Problem]:
    seen: dict[str, Path] = {}
    for path, chunks in splits.values():
        for chunk in chunks:
            if chunk.dialogue_id in seen:
                yield Problem(
                    path, chunk.dialogue_id, f"this id already occurs in {seen[chunk.dialogue_id]}; ids must be unique."
                )
            seen.setdefault(chunk.dialogue_id, path)
