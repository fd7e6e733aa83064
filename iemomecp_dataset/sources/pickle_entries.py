"""Reads chosen entries of a large pickled tuple, within memory for those alone.

A pickle of features holds many dictionaries of vectors, of which an import needs one. A first pass over the file checks
its opcodes, counts the entries, and finds which memoized objects are used again. The second builds the structure of the
entries, with references to the file in the place of numbers and raw bytes, and drops each entry that was not chosen as
soon as it is complete. What a file may contain is decided in :mod:`iemomecp_dataset.sources.restricted_pickle`.
"""

from __future__ import annotations

import pickletools
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from iemomecp_dataset.sources.restricted_pickle import (
    FIXED_SIZES,
    LINE_COUNTS,
    OUTSIDE_CODES,
    PREFIXES,
    ArrayStandIn,
    CheckedUnpickler,
    RefusedNameError,
    allowed_name,
    check_size,
    pickle_errors,
    plain_value,
)

__all__ = ["PickledEntries", "open_pickle_entries"]

# Shorter strings and runs of floats are read at once.
_SHORTEST_REFERENCE = 256
_SHORTEST_RUN = 8
_BLOCK_OF_FLOATS = 1024
_FLOAT_RECORD = np.dtype([("code", "u1"), ("value", ">f8")])


@dataclass(frozen=True, slots=True)
class _Reference:
    """A value that stays in the file: raw bytes, a Python 2 string, text, or a run of floats."""

    kind: str
    offset: int
    length: int


class _Encoded:
    """Stands in for ``_codecs.encode`` of a referenced text, which is how Python 3 writes bytes for protocol 2."""

    def __init__(self, text: _Reference) -> None:
        self.text = text


@dataclass(frozen=True)
class PickledEntries:
    """Chosen entries of an open pickle.

    Attributes:
        n_entries: Number of entries of the pickled tuple or list.
        entries: Structure of the chosen entries by number; dictionaries have their keys, values are read by
            :meth:`load`.
    """

    n_entries: int
    entries: dict[int, Any]
    _file: IO[bytes]
    _path: Path

    def load(self, value: Any) -> Any:
        """Reads a value of an entry from the file.

        Args:
            value: A part of :attr:`entries`.

        Returns:
            The same as :func:`~iemomecp_dataset.sources.restricted_pickle.read_restricted_pickle` gives, but a long
            list of floats is a float64 array.

        Raises:
            InvalidDataError: The value is not data.
            UnsafeFileError: Likewise, if it references something else.
        """
        with pickle_errors(self._path):
            check_size(value)
            return plain_value(self._filled(value), {})

    def _filled(self, value: Any) -> Any:
        if isinstance(value, _Reference):
            return _read_reference(self._file, value)
        if isinstance(value, _Encoded):
            return _read_reference(self._file, value.text).encode("latin-1")
        if isinstance(value, list):
            if any(isinstance(item, _Reference) and item.kind == "floats" for item in value):
                parts = [self._filled(item) for item in value]
                return np.concatenate([np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in parts])
            return [self._filled(item) for item in value]
        if isinstance(value, tuple):
            return self._filled(list(value)) if _has_floats(value) else tuple(self._filled(item) for item in value)
        if isinstance(value, dict):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, ArrayStandIn):
            filled = ArrayStandIn()
            filled.state = self._filled(value.state)
            return filled
        return value


def _has_floats(items: Collection[Any]) -> bool:
    return any(isinstance(item, _Reference) and item.kind == "floats" for item in items)


@contextmanager
def open_pickle_entries(path: Path, choose: Callable[[int], Collection[int]]) -> Iterator[PickledEntries]:
    """Opens a pickled tuple, or list, and builds the structure of some of its entries.

    Args:
        path: The file, of any protocol. Python 2 strings are decoded as latin-1.
        choose: Gives the numbers of the entries to keep, by the number of all entries.

    Yields:
        The entries, readable as long as the context is open.

    Raises:
        UnsafeFileError: The pickle references more than data; nothing was run.
        InvalidDataError: The file is truncated, or is not a pickled tuple or list.
        MissingDataError: The file cannot be read.
    """
    with pickle_errors(path), BufferedReader(FileIO(path), 1 << 20) as file:
        survey = _survey(file, path.stat().st_size)
        n_entries, chosen = survey.n_entries, frozenset(choose(survey.n_entries))
        file.seek(0)
        content = _EntryUnpickler(file, survey, chosen).load()
        if not isinstance(content, tuple | list) or len(content) != n_entries:
            raise ValueError(f"expected a tuple of entries, found {type(content).__name__}")
        entries = {number: content[number] for number in sorted(chosen) if number < n_entries}
        del content
    with open(path, "rb") as file:
        yield PickledEntries(n_entries, entries, file, path)


def _read_reference(file: IO[bytes], reference: _Reference) -> Any:
    file.seek(reference.offset)
    raw = file.read(reference.length)
    if reference.kind == "floats":
        return np.frombuffer(raw, dtype=_FLOAT_RECORD)["value"].astype(np.float64)
    if reference.kind == "bytes":
        return raw
    return raw.decode("latin-1") if reference.kind == "string" else raw.decode("utf-8", "surrogatepass")


# --- the first pass -----------------------------------------------------------------------------------------------

_GETS = {ord("h"): "<B", ord("j"): "<I"}
_SHORT_TUPLES = {ord(")"): 0, ord("]"): 0, 0x85: 1, 0x86: 2, 0x87: 3}
_STOP, _GET, _FLOAT, _MARK, _APPEND, _APPENDS = (ord(code) for code in ".gG(ae")


def _stack_effects() -> tuple[list[int], dict[int, int]]:
    """Net change of the stack by opcode; for those that use up a mark, the change below the mark."""
    simple, marked = [0] * 256, {}
    for opcode in pickletools.opcodes:
        before, after, code = opcode.stack_before, opcode.stack_after, ord(opcode.code)
        if pickletools.markobject in before:
            marked[code] = len(after) - before.index(pickletools.markobject)
        else:
            simple[code] = len(after) - len(before)
    return simple, marked


_EFFECTS, _MARKED_EFFECTS = _stack_effects()


@dataclass(frozen=True)
class _Survey:
    """What the first pass found.

    Attributes:
        reused: Memo numbers that are fetched.
        n_entries: Number of items of the outermost tuple or list.
        starts: Where in the file each of them begins; empty if they are not the items of one mark.
    """

    reused: frozenset[int]
    n_entries: int
    starts: tuple[int, ...]


def _survey(file: IO[bytes], size: int) -> _Survey:
    """Checks the opcodes of a pickle, and finds the entries of its outermost tuple or list."""
    reused: set[int] = set()
    # Height of the stack, by open mark. An item of the first mark begins where its place is filled for the last time:
    # before, keys and values of a dictionary can pass there.
    heights, entries = [0], 0
    starts: dict[int, int] = {}
    found: tuple[int, ...] = ()
    while True:
        position = file.tell()
        byte = file.read(1)
        if not byte:
            raise ValueError("the file ends before the pickle does")
        code, depth, before = byte[0], len(heights), heights[-1]
        if code == _FLOAT:
            file.seek(position)
            heights[-1] += _float_run(file)[1]
        elif code in OUTSIDE_CODES:
            raise RefusedNameError(OUTSIDE_CODES[code])
        else:
            argument = _skip_argument(file, code, size)
            if code == _STOP:
                return _Survey(frozenset(reused), entries, found)
            if code in _GETS or code == _GET:
                reused.add(int(argument) if code == _GET else int.from_bytes(argument, "little"))
            if code == _MARK:
                heights.append(0)
                starts = {} if depth == 1 else starts
            elif code in _MARKED_EFFECTS:
                if depth == 1:
                    raise ValueError("an opcode lacks its mark")
                items = heights.pop()
                before = heights[-1]
                heights[-1] += _MARKED_EFFECTS[code]
                if depth == 2 and heights[-1] == 1:
                    earlier = entries if code == _APPENDS else 0
                    entries = earlier + items
                    found = () if earlier else tuple(starts.get(place, 0) for place in range(items))
            else:
                heights[-1] += _EFFECTS[code]
                if depth == 1 and heights[-1] == 1:
                    entries = entries + 1 if code == _APPEND else _SHORT_TUPLES.get(code, entries)
                    found = () if code == _APPEND or code in _SHORT_TUPLES else found
        if len(heights) == 2:
            starts.update(dict.fromkeys(range(before if code != _MARK else 0, heights[-1]), position))


def _skip_argument(file: IO[bytes], code: int, size: int) -> bytes:
    """Moves behind the argument of an opcode, and returns it where it is short."""
    length = FIXED_SIZES[code]
    if length >= 0:
        argument = file.read(length)
        if len(argument) < length:
            raise ValueError("the file ends before the pickle does")
        return argument
    if code in PREFIXES:
        prefix = PREFIXES[code]
        (length,) = prefix.unpack(file.read(prefix.size))
        if length < 0 or file.seek(length, 1) > size:
            raise ValueError("a value extends beyond the end of the file")
        return b""
    lines = [file.readline() for _ in range(LINE_COUNTS.get(code, 0))]
    if not lines or not lines[-1].endswith(b"\n"):
        raise ValueError(f"byte {code:#04x} at {file.tell()} is not a pickle opcode, or its line does not end")
    return lines[0].strip()


def _float_run(file: IO[bytes]) -> tuple[int, int]:
    """Moves behind consecutive floats, and returns where they begin and how many there are."""
    start, count = file.tell(), 0
    while True:
        block = file.read(_BLOCK_OF_FLOATS * _FLOAT_RECORD.itemsize)
        records = np.frombuffer(block[: len(block) // 9 * 9], dtype=_FLOAT_RECORD)
        other = np.flatnonzero(records["code"] != _FLOAT)
        run = int(other[0]) if len(other) else len(records)
        count += run
        if run < _BLOCK_OF_FLOATS:
            if not count:
                raise ValueError("the file ends before the pickle does")
            file.seek(start + count * _FLOAT_RECORD.itemsize)
            return start, count


# --- the second pass ----------------------------------------------------------------------------------------------


class _EntryUnpickler(CheckedUnpickler):
    """Builds the structure of chosen entries from a file that :func:`_survey` has checked."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(CheckedUnpickler.dispatch)

    def __init__(self, file: Any, survey: _Survey, chosen: frozenset[int]) -> None:
        super().__init__(file, encoding="latin-1")
        self._file, self._survey, self._chosen = file, survey, chosen
        self._memoized, self._dropped = 0, 0

    def load(self) -> Any:
        self.metastack: list[list[Any]] = []
        self.stack: list[Any] = []
        self.append = self.stack.append
        self.read, self.readline, self.readinto = self._file.read, self._file.readline, self._file.readinto
        while (code := self.read(1)[0]) != _STOP:
            self.dispatch[code](self)
        return self.stack.pop()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            plain = allowed_name(module, name)
            return lambda text, *rest: _Encoded(text) if isinstance(text, _Reference) else plain(text, *rest)
        return super().find_class(module, name)

    # Entries are the items of the outermost tuple or list; one is complete when the next begins.

    def load_mark(self) -> None:
        if len(self.metastack) == 1:
            begun = bisect_right(self._survey.starts, self._file.tell())
            for place in range(self._dropped, begun - 1):
                if place not in self._chosen:
                    self.stack[place] = None
            self._dropped = max(self._dropped, begun - 1)
        super().load_mark()

    # Frames only group opcodes; without them the position in the file is that of the opcode.

    def load_frame(self) -> None:
        self.read(8)

    def load_binfloat(self) -> None:
        self._file.seek(-1, 1)
        start, count = _float_run(self._file)
        end = self._file.tell()
        follows = self.read(1)
        self._file.seek(end)
        reference = _Reference("floats", start, count * _FLOAT_RECORD.itemsize)
        # Only a list or tuple of nothing else; a mark's items are otherwise taken off one by one.
        if count >= _SHORTEST_RUN and not self.stack and follows in (b"e", b"t", b"l"):
            self.append(reference)
        else:
            self.stack.extend(_read_reference(self._file, reference).tolist())
            self._file.seek(end)

    def _refer(self, prefix: str, kind: str) -> bool:
        """Refers to a long value; a short one is left to be read."""
        place = self._file.tell()
        code = ord(prefix)
        (length,) = PREFIXES[code].unpack(self.read(PREFIXES[code].size))
        if length < _SHORTEST_REFERENCE:
            self._file.seek(place)
            return False
        self.append(_Reference(kind, self._file.tell(), length))
        self._file.seek(length, 1)
        return True

    # Only objects that are used again are kept in the memo, or no entry could be dropped.

    def _memoize(self, number: int) -> None:
        if number in self._survey.reused:
            self.memo[number] = self.stack[-1]

    def load_put(self) -> None:
        self._memoize(int(self.readline()))

    def load_binput(self) -> None:
        self._memoize(self.read(1)[0])

    def load_long_binput(self) -> None:
        self._memoize(int.from_bytes(self.read(4), "little"))

    def load_memoize(self) -> None:
        self._memoize(self._memoized)
        self._memoized += 1


def _referring(prefix: str, kind: str) -> Callable[[_EntryUnpickler], None]:
    whole = CheckedUnpickler.dispatch[ord(prefix)]

    def load(unpickler: _EntryUnpickler) -> None:
        if not unpickler._refer(prefix, kind):
            whole(unpickler)

    return load


_EntryUnpickler.dispatch |= {
    ord("("): _EntryUnpickler.load_mark,
    ord("G"): _EntryUnpickler.load_binfloat,
    ord("p"): _EntryUnpickler.load_put,
    ord("q"): _EntryUnpickler.load_binput,
    ord("r"): _EntryUnpickler.load_long_binput,
    0x94: _EntryUnpickler.load_memoize,
    0x95: _EntryUnpickler.load_frame,
    **{
        ord(code): _referring(code, kind)
        for code, kind in (
            *(("B", "bytes"), ("\x8e", "bytes"), ("\x96", "bytes")),
            *(("T", "string"), ("X", "text"), ("\x8d", "text")),
        )
    },
}
