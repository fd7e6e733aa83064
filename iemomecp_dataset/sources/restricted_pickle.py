"""Reads pickles safely: numpy arrays and plain containers load, everything else is refused.

A pickle is a program. :class:`pickle.Unpickler` runs it here with an allowlist
of names, each replaced by a stand-in of this module, so that the pickle can
build lists, dictionaries and arrays but cannot call any other code, numpy's
included: the arrays are built afterwards, from checked raw bytes. A scan of the
opcodes beforehand refuses files that are truncated or that would make the
interpreter allocate memory out of proportion to their size.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UnsafeFileError
from iemomecp_dataset.excerpts import excerpt

__all__ = [
    "FIXED_SIZES",
    "LINE_COUNTS",
    "OUTSIDE_CODES",
    "PREFIXES",
    "ArrayStandIn",
    "CheckedUnpickler",
    "RefusedNameError",
    "allowed_name",
    "check_size",
    "pickle_errors",
    "plain_value",
    "read_restricted_pickle",
]


def read_restricted_pickle(path: Path) -> Any:
    """Reads a pickle of plain containers, strings, numbers and numpy arrays, of any protocol.

    Python 2 strings are decoded as latin-1.

    Args:
        path: The file.

    Returns:
        The unpickled content; arrays of simple types as :class:`numpy.ndarray`, object arrays as (nested) lists.

    Raises:
        UnsafeFileError: The pickle references anything else; the message names it, and nothing was run.
        InvalidDataError: The file is truncated, or is not a pickle.
        MissingDataError: The file cannot be read.
    """
    with pickle_errors(path):
        data = path.read_bytes()
        # In C where it can be: it does not look at keys before it hashes them.
        reader = CheckedUnpickler if _scan(data) else _Unpickler
        # The stand-ins make this safe; see `find_class`.
        value = reader(io.BytesIO(data), encoding="latin-1").load()
        check_size(value)
        return plain_value(value, {})


@contextmanager
def pickle_errors(path: Path) -> Iterator[None]:
    """Turns whatever the reading of a pickle raises into one sentence.

    Args:
        path: The file.

    Yields:
        Nothing.

    Raises:
        UnsafeFileError: The pickle references more than data.
        InvalidDataError: The file is not a pickle of data.
        MissingDataError: The file cannot be read.
    """
    try:
        yield
    except IemomecpError:
        raise
    except OSError as error:
        raise MissingDataError(
            f"{path}: cannot be read ({error.strerror}). Check the file and its permissions."
        ) from None
    except RefusedNameError as refused:
        raise UnsafeFileError(
            f"{path}: this pickle references {refused}, which is not data. It was refused and nothing was run. Only "
            f"plain containers and numpy arrays are accepted; fetch the file from its authors."
        ) from None
    # A corrupt stream can make the interpreter raise anything; whatever it is, the file is not a pickle of data.
    except Exception as error:
        raise InvalidDataError(
            f"{path}: not a readable pickle ({type(error).__name__}: {str(error)[:160]}). The file may be truncated; "
            f"fetch it again."
        ) from None


_LARGEST_KEY = 1000
_MOST_COPIES = 100


def check_keys(keys: Iterable[Any]) -> None:
    """Checks keys of a dictionary, or items of a set, before they are hashed.

    A tuple that holds another one twice, which holds another one twice, and so on, takes a few bytes of a pickle for
    each doubling of the time to hash it.

    Args:
        keys: The keys.

    Raises:
        ValueError: One has more than 1,000 parts, each counted as often as it is in a tuple.
    """
    for key in keys:
        waiting, left = [key], _LARGEST_KEY
        while waiting:
            part = waiting.pop()
            if isinstance(part, tuple):
                left -= len(part)
                if left < 0:
                    raise ValueError(f"a key of a dictionary or set has more than {_LARGEST_KEY:,} parts")
                waiting += part


def check_size(value: Any) -> None:
    """Checks that a value holds few values many times, so that reading all of it ends.

    Args:
        value: What the unpickler built.

    Raises:
        ValueError: It holds itself, or more than 100 times as many values as the pickle has.
        RecursionError: It is nested too deeply.
    """
    sizes: dict[int, int] = {}
    n_values = 0

    def size_of(container: Any) -> int:
        nonlocal n_values
        parts: Any
        if isinstance(container, dict):
            parts = (*container.keys(), *container.values())
        elif isinstance(container, list | tuple | set | frozenset):
            parts = container
        elif isinstance(container, ArrayStandIn):
            parts = (container.state,)
        else:
            return 1
        known = sizes.get(id(container))
        if known == 0:
            raise ValueError(f"a {type(container).__name__} holds itself")
        if known is None:
            sizes[id(container)] = 0  # until it is known
            n_values += len(parts)
            known = 1 + sum(1 if type(part) in _LEAVES else size_of(part) for part in parts)
            sizes[id(container)] = known
        return known

    size = size_of(value)
    if size > _MOST_COPIES * n_values + 1_000_000:
        raise ValueError(
            f"more than {_MOST_COPIES} times as many values as the pickle has: it holds the same ones again and again"
        )


_LEAVES = frozenset((float, int, str, bytes, bool, type(None)))


class RefusedNameError(Exception):
    """A pickle references a name that is not on the allowlist."""


# --- the scan -----------------------------------------------------------------------------------------------------

# Size of each opcode's argument: a fixed number of bytes, or the format of its length prefix.
_LENGTH_FORMATS = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}
FIXED_SIZES: list[int] = [-1] * 256
PREFIXES: dict[int, struct.Struct] = {}
LINE_COUNTS: dict[int, int] = {}
for _opcode in pickletools.opcodes:
    _code = ord(_opcode.code)
    if _opcode.arg is None:
        FIXED_SIZES[_code] = 0
    elif _opcode.arg.n >= 0:
        FIXED_SIZES[_code] = _opcode.arg.n
    elif _opcode.arg.n in _LENGTH_FORMATS:
        PREFIXES[_code] = struct.Struct(_LENGTH_FORMATS[_opcode.arg.n])
    else:
        LINE_COUNTS[_code] = 2 if _opcode.name in ("GLOBAL", "INST") else 1
_STOP = ord(".")
_PUT, _LONG_BINPUT = ord("p"), ord("r")
# Out-of-band buffers and persistent ids refer to objects outside the file, registered extensions to code.
OUTSIDE_CODES = {ord(code): name for code, name in (("P", "a persistent id"), ("Q", "a persistent id"))} | {
    0x82: "an extension",
    0x83: "an extension",
    0x84: "an extension",
    0x97: "an out-of-band buffer",
}


_GETS = {ord("h"): 1, ord("j"): 4}
_PUTS = {ord("q"): 1, _LONG_BINPUT: 4}
_GET, _MEMOIZE, _DUP, _FRAME = ord("g"), 0x94, ord("2"), 0x95
_TUPLES = frozenset((ord("t"), 0x85, 0x86, 0x87))
# What leaves something else than a tuple on top of the stack.
_NO_TUPLES = (
    frozenset(b"IJKMLFGSTUVXBC]}ld(c") | frozenset((0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x91, 0x93, 0x96)) | {ord("R")}
)
_WATCHED = _GETS.keys() | _PUTS.keys() | _TUPLES | OUTSIDE_CODES.keys() | {_STOP, _MEMOIZE, _DUP}
_MOST_SHARED = 2**20


def _scan(data: bytes) -> bool:
    """Checks the opcodes.

    Returns:
        Whether tuples may hold each other so often that to hash one could take for ever.
    """
    position, steps, size = 0, 0, len(data)
    fixed = FIXED_SIZES
    # Memo numbers of tuples, how many of them are fetched since a tuple was made, and a bound of what that makes of
    # the largest tuple: everything on the stack may be in the next one.
    tuples: set[int] = set()
    memoized, fetched, shared, before = 0, 0, 1, 0
    # No pickler gives memo numbers in both ways, and MEMOIZE counts on from those that are given.
    put = mixed = False
    while position < size:
        previous, code = before, data[position]
        if code != _FRAME:
            before = code
        steps += 1
        position += 1
        length = fixed[code]
        if length >= 0:
            if code not in _WATCHED:
                position += length
                continue
            if code == _STOP:
                return mixed or shared > _MOST_SHARED
            if code in _TUPLES:
                if fetched:
                    shared, fetched = min(shared * (1 + fetched), 2 * _MOST_SHARED), 0
            elif code in _GETS:
                fetched += int.from_bytes(data[position : position + length], "little") in tuples
            elif code == _DUP:
                fetched += 1
            elif code == _MEMOIZE:
                if previous not in _NO_TUPLES:
                    tuples.add(memoized)
                memoized += 1
                mixed = mixed or put
            elif code in _PUTS:
                if previous not in _NO_TUPLES:
                    tuples.add(int.from_bytes(data[position : position + length], "little"))
                put, mixed = True, mixed or memoized > 0
            if code == _LONG_BINPUT:
                # The interpreter's memo is an array as long as its largest index.
                (index,) = struct.unpack_from("<I", data, position)
                if index > steps:
                    raise ValueError(f"memo index {index} at byte {position - 1} is out of proportion")
            elif code in OUTSIDE_CODES:
                raise RefusedNameError(OUTSIDE_CODES[code])
            position += length
        elif code in PREFIXES:
            prefix = PREFIXES[code]
            (length,) = prefix.unpack_from(data, position)
            position += prefix.size + length
            if length < 0 or position > size:
                raise ValueError(f"the value at byte {position - length} extends beyond the end of the file")
        elif code in LINE_COUNTS:
            for _ in range(LINE_COUNTS[code]):
                start = position
                position = data.find(b"\n", position) + 1
                if position == 0:
                    raise ValueError(f"the line at byte {start} does not end")
            if code == _PUT:
                index = int(data[start : position - 1])
                if index > steps:
                    raise ValueError(f"the memo index at byte {start} is out of proportion")
                if previous not in _NO_TUPLES:
                    tuples.add(index)
                put, mixed = True, mixed or memoized > 0
            elif code == _GET:
                fetched += int(data[start : position - 1]) in tuples
            if code in OUTSIDE_CODES:
                raise RefusedNameError(OUTSIDE_CODES[code])
        else:
            raise ValueError(f"byte {code:#04x} at {position - 1} is not a pickle opcode")
    raise ValueError("the file ends before the pickle does")


# --- stand-ins ----------------------------------------------------------------------------------------------------

_SIMPLE_DTYPE = re.compile(r"[<>=|]?([biufcSU]\d{0,6}|\?|O\d?)")


class _Dtype:
    """Stands in for ``numpy.dtype``: accepts simple types by name, refuses fields and sub-arrays."""

    def __init__(self, name: object, *_: object) -> None:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if not isinstance(name, str) or _SIMPLE_DTYPE.fullmatch(name) is None:
            raise ValueError(f"array type {excerpt(name)!r} is not supported")
        self.name = name

    def __setstate__(self, state: Any) -> None:
        byte_order, *structure = state[1:5]
        if any(part is not None for part in structure):
            raise ValueError("arrays with fields or sub-arrays are not supported")
        if isinstance(byte_order, bytes):
            byte_order = byte_order.decode("latin-1")
        if byte_order not in ("<", ">", "=", "|"):
            raise ValueError(f"unknown byte order {excerpt(byte_order, 10)!r}")
        self.name = byte_order + self.name.lstrip("<>=|")


class ArrayStandIn:
    """Stands in for an array; keeps the state it would be rebuilt from."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Scalar:
    """Stands in for a numpy scalar."""

    def __init__(self, dtype: Any, raw: Any = b"") -> None:
        self.dtype, self.raw = dtype, raw


class _ArrayClass:
    """Stands in for the class ``numpy.ndarray``, which pickles only pass as an argument."""


def _reconstruct(subtype: Any, *_: Any) -> ArrayStandIn:
    if not isinstance(subtype, _ArrayClass):
        raise TypeError("subclasses of ndarray are not supported")
    return ArrayStandIn()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> ArrayStandIn:
    array = ArrayStandIn()
    array.state = (1, shape, dtype, order == "F", raw)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {excerpt(encoding, 20)!r} is not supported")
    return text.encode("latin-1")


def _empty_bytes() -> bytes:
    return b""


def _mapping(*arguments: Any) -> dict[Any, Any]:
    if len(arguments) == 1 and isinstance(arguments[0], list):
        pairs = [(key, value) for key, value in arguments[0]]
        check_keys(key for key, _ in pairs)
        return dict(pairs)
    return {}


def _set(*arguments: Any) -> set[Any]:
    return set(_checked(*arguments))


def _frozenset(*arguments: Any) -> frozenset[Any]:
    return frozenset(_checked(*arguments))


def _checked(items: Any = ()) -> list[Any]:
    listed = list(items)
    check_keys(listed)
    return listed


class _Callable:
    """Wraps a function anew for each reference, because a pickle can set attributes on the objects it obtains."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


def allowed_name(module: str, name: str) -> Any:
    """Finds what a name of a pickle stands for.

    Args:
        module: Module that the pickle names.
        name: Name in it.

    Returns:
        A stand-in.

    Raises:
        RefusedNameError: The name is not on the allowlist.
    """
    found = _stand_in(module, name)
    if found is None:
        raise RefusedNameError(f"{module}.{name}"[:120])
    return found


def _stand_in(module: str, name: str) -> Any:
    core = re.fullmatch(r"numpy\._?core\.(multiarray|numeric)", module)
    if core is not None:
        functions: dict[str, Callable[..., Any]] = {
            "_reconstruct": _reconstruct,
            "scalar": _Scalar,
            "_frombuffer": _from_buffer,
        }
        return _Callable(functions[name]) if name in functions else None
    if module == "numpy":
        return {"ndarray": _ArrayClass(), "dtype": _Callable(_Dtype)}.get(name)
    if module == "_codecs" and name == "encode":
        return _Callable(_encode)
    if module == "collections" and name in ("OrderedDict", "defaultdict"):
        return _Callable(_mapping)
    if module in ("builtins", "__builtin__"):
        containers: dict[str, Callable[..., Any]] = {
            "bytes": _empty_bytes,
            "list": list,
            "dict": _mapping,
            "set": _set,
            "frozenset": _frozenset,
        }
        return _Callable(containers[name]) if name in containers else None
    return None


class _Unpickler(pickle.Unpickler):
    """Resolves the names of the allowlist and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        return allowed_name(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedNameError("a persistent id")


# The interpreter's own implementation in Python.
_PythonUnpickler: Any = pickle._Unpickler


class CheckedUnpickler(_PythonUnpickler):  # type: ignore[misc]
    """The same in Python, which looks at keys before it hashes them."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_PythonUnpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """Resolves the names of the allowlist and refuses all others."""
        return allowed_name(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Refuses."""
        raise RefusedNameError("a persistent id")


def _checking(code: int, keys: slice) -> Callable[[CheckedUnpickler], None]:
    whole = _PythonUnpickler.dispatch[code]

    def load(unpickler: CheckedUnpickler) -> None:
        check_keys(unpickler.stack[keys])
        whole(unpickler)

    return load


CheckedUnpickler.dispatch |= {
    ord("s"): _checking(ord("s"), slice(-2, -1)),
    ord("u"): _checking(ord("u"), slice(0, None, 2)),
    ord("d"): _checking(ord("d"), slice(0, None, 2)),
    0x90: _checking(0x90, slice(None)),
    0x91: _checking(0x91, slice(None)),
}


# --- from stand-ins to arrays -------------------------------------------------------------------------------------


def plain_value(value: Any, done: dict[int, Any]) -> Any:
    """Replaces stand-ins by real values.

    Args:
        value: What the unpickler built.
        done: Results by id, empty at first; keeps shared objects shared and breaks cycles.

    Returns:
        Plain containers, numbers, strings and arrays.

    Raises:
        TypeError: A stand-in is not data.
        ValueError: An array does not fit its content.
    """
    if value is None or isinstance(value, str | int | float | bytes | complex | np.ndarray):
        return value
    if id(value) in done:
        return done[id(value)]
    result: Any
    if isinstance(value, dict):
        done[id(value)] = result = {}
        result.update({plain_value(key, done): plain_value(item, done) for key, item in value.items()})
    elif isinstance(value, list):
        done[id(value)] = result = []
        result.extend(plain_value(item, done) for item in value)
    elif isinstance(value, tuple):
        done[id(value)] = result = tuple(plain_value(item, done) for item in value)
    elif isinstance(value, set | frozenset):
        done[id(value)] = result = frozenset(plain_value(item, done) for item in value)
    elif isinstance(value, bytearray):
        done[id(value)] = result = bytes(value)
    elif isinstance(value, ArrayStandIn):
        done[id(value)] = result = _array(value, done)
    elif isinstance(value, _Scalar):
        done[id(value)] = result = _scalar(value, done)
    else:
        raise TypeError(f"a {type(value).__name__} on its own is not data")
    # Keeps the value alive: ids are unique among living objects only.
    done.setdefault(-1, []).append(value)
    return result


def _array(array: ArrayStandIn, done: dict[int, Any]) -> Any:
    state = array.state
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise ValueError("an array without content")
    shape, dtype, fortran, raw = state[-4:]
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and 0 <= n < 2**40 for n in shape) or len(shape) > 8:
        raise ValueError(f"invalid array shape {excerpt(shape, 60)}")
    if not isinstance(dtype, _Dtype):
        raise TypeError("an array without a dtype")
    count = 1
    for n in shape:
        count *= n
    if "O" in dtype.name:
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError("an object array whose content does not fit its shape")
        nested: Any = [plain_value(item, done) for item in raw]
        if fortran and len(shape) > 1:
            raise ValueError("object arrays in column order are not supported")
        for n in reversed(shape[1:]):
            nested = [nested[i : i + n] for i in range(0, len(nested), n)] if n else []
        return nested if shape else nested[0]
    if isinstance(raw, str):  # A Python 2 string.
        raw = raw.encode("latin-1")
    simple = np.dtype(dtype.name)
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * simple.itemsize:
        raise ValueError(f"array of shape {shape} and type {simple} whose content does not fit")
    return np.frombuffer(bytes(raw), dtype=simple).reshape(shape, order="F" if fortran else "C")


def _scalar(scalar: _Scalar, done: dict[int, Any]) -> Any:
    if not isinstance(scalar.dtype, _Dtype):
        raise TypeError("a scalar without a dtype")
    if "O" in scalar.dtype.name:
        return plain_value(scalar.raw, done)
    raw = scalar.raw.encode("latin-1") if isinstance(scalar.raw, str) else scalar.raw
    simple = np.dtype(scalar.dtype.name)
    if not isinstance(raw, bytes) or len(raw) != simple.itemsize:
        raise ValueError("a scalar whose content does not fit its type")
    return np.frombuffer(raw, dtype=simple)[0].item()
