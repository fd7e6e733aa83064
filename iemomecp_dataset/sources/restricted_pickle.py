"""Reads a pickle as data: numpy arrays and plain containers, nothing else.

A pickle is a program. Here it is run by :class:`pickle.Unpickler` with every
name it may ask for replaced by a stand-in of ours, so that it can build lists,
dictionaries and arrays and cannot reach any other code, numpy's included: the
arrays are made afterwards, from checked raw bytes. Before it runs, a scan of
the opcodes refuses files that are cut off or that would make the interpreter
allocate memory out of proportion to their size.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UnsafeFileError

__all__ = ["read_restricted_pickle"]


def read_restricted_pickle(path: Path) -> Any:
    """Reads a pickle of plain containers, strings, numbers and numpy arrays, of any protocol.

    Python 2 strings are decoded as latin-1.

    Args:
        path: The file.

    Returns:
        What it holds; arrays of simple types as :class:`numpy.ndarray`, object arrays as (nested) lists.

    Raises:
        UnsafeFileError: The pickle asks for anything else; the message names it, and nothing was run.
        InvalidDataError: The file is cut off, or is no pickle.
        MissingDataError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.") from None
    try:
        _scan(data)
        # The stand-ins make this safe; see `find_class`.
        return _plain(_Unpickler(io.BytesIO(data), encoding="latin-1").load(), {})
    except _RefusedNameError as refused:
        raise UnsafeFileError(
            f"{path}: this pickle asks for {refused}, which is not data. It was refused and nothing was run. Only "
            f"plain containers and numpy arrays are read; fetch the file from its authors."
        ) from None
    # Whatever a broken stream makes the interpreter raise, it means that this file is no pickle of data.
    except Exception as error:
        raise InvalidDataError(
            f"{path}: not a readable pickle ({type(error).__name__}: {str(error)[:160]}). The file may be cut off; "
            f"fetch it again."
        ) from None


class _RefusedNameError(Exception):
    """A pickle asked for a name that is not on the list."""


# --- the scan -----------------------------------------------------------------------------------------------------

# Argument sizes by opcode: 0 or more bytes; or how the length is written.
_LENGTH_FORMATS = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}
_FIXED: list[int] = [-1] * 256
_PREFIXED: dict[int, struct.Struct] = {}
_LINES: dict[int, int] = {}
for _opcode in pickletools.opcodes:
    _code = ord(_opcode.code)
    if _opcode.arg is None:
        _FIXED[_code] = 0
    elif _opcode.arg.n >= 0:
        _FIXED[_code] = _opcode.arg.n
    elif _opcode.arg.n in _LENGTH_FORMATS:
        _PREFIXED[_code] = struct.Struct(_LENGTH_FORMATS[_opcode.arg.n])
    else:
        _LINES[_code] = 2 if _opcode.name in ("GLOBAL", "INST") else 1
_STOP = ord(".")
_PUT, _LONG_BINPUT = ord("p"), ord("r")
# Out-of-band buffers and persistent ids refer to things outside the file; registered extensions to code.
_OUTSIDE = {ord(code): name for code, name in (("P", "a persistent id"), ("Q", "a persistent id"))} | {
    0x82: "an extension",
    0x83: "an extension",
    0x84: "an extension",
    0x97: "an out-of-band buffer",
}


def _scan(data: bytes) -> None:
    position, steps, size = 0, 0, len(data)
    fixed = _FIXED
    while position < size:
        code = data[position]
        steps += 1
        position += 1
        length = fixed[code]
        if length >= 0:
            if code == _STOP:
                return
            if code == _LONG_BINPUT:
                # The interpreter's memo is an array that grows to the largest index.
                (index,) = struct.unpack_from("<I", data, position)
                if index > steps:
                    raise ValueError(f"memo index {index} at byte {position - 1} is out of all proportion")
            elif code in _OUTSIDE:
                raise _RefusedNameError(_OUTSIDE[code])
            position += length
        elif code in _PREFIXED:
            prefix = _PREFIXED[code]
            (length,) = prefix.unpack_from(data, position)
            position += prefix.size + length
            if length < 0 or position > size:
                raise ValueError(f"a value at byte {position - length} runs over the end of the file")
        elif code in _LINES:
            for _ in range(_LINES[code]):
                start = position
                position = data.find(b"\n", position) + 1
                if position == 0:
                    raise ValueError(f"a line at byte {start} has no end")
            if code == _PUT and int(data[start : position - 1]) > steps:
                raise ValueError(f"a memo index at byte {start} is out of all proportion")
            if code in _OUTSIDE:
                raise _RefusedNameError(_OUTSIDE[code])
        else:
            raise ValueError(f"byte {code:#04x} at {position - 1} is no pickle opcode")
    raise ValueError("the file ends before the pickle does")


# --- stand-ins ----------------------------------------------------------------------------------------------------

_SIMPLE_DTYPE = re.compile(r"[<>=|]?([biufcSU]\d{0,6}|\?|O\d?)")


class _Dtype:
    """Stands in for ``numpy.dtype``: a simple type by name, fields and sub-arrays refused."""

    def __init__(self, name: object, *_: object) -> None:
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if not isinstance(name, str) or _SIMPLE_DTYPE.fullmatch(name) is None:
            raise ValueError(f"array type {str(name)[:40]!r} is not read")
        self.name = name

    def __setstate__(self, state: Any) -> None:
        byte_order, *structure = state[1:5]
        if any(part is not None for part in structure):
            raise ValueError("arrays with fields or sub-arrays are not read")
        if isinstance(byte_order, bytes):
            byte_order = byte_order.decode("latin-1")
        if byte_order not in ("<", ">", "=", "|"):
            raise ValueError(f"byte order {str(byte_order)[:10]!r}")
        self.name = byte_order + self.name.lstrip("<>=|")


class _Array:
    """Stands in for an array that is being rebuilt."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Scalar:
    """Stands in for a numpy scalar."""

    def __init__(self, dtype: Any, raw: Any = b"") -> None:
        self.dtype, self.raw = dtype, raw


class _ArrayClass:
    """Stands in for the class ``numpy.ndarray``, which is only ever an argument."""


def _reconstruct(subtype: Any, *_: Any) -> _Array:
    if not isinstance(subtype, _ArrayClass):
        raise TypeError("a subclass of ndarray is not read")
    return _Array()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> _Array:
    array = _Array()
    array.state = (1, shape, dtype, order == "F", raw)
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"encoding {str(encoding)[:20]!r} is not read")
    return text.encode("latin-1")


def _empty_bytes() -> bytes:
    return b""


def _mapping(*arguments: Any) -> dict[Any, Any]:
    if len(arguments) == 1 and isinstance(arguments[0], list):
        return dict(arguments[0])
    return {}


class _Callable:
    """A fresh callable for each name asked for: a pickle can set attributes on what it is given."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)


def _allowed(module: str, name: str) -> Any:
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
            "set": set,
            "frozenset": frozenset,
        }
        return _Callable(containers[name]) if name in containers else None
    return None


class _Unpickler(pickle.Unpickler):
    """Knows the names above and no other."""

    def find_class(self, module: str, name: str) -> Any:
        found = _allowed(module, name)
        if found is None:
            raise _RefusedNameError(f"{module}.{name}"[:120])
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise _RefusedNameError("a persistent id")


# --- from stand-ins to arrays -------------------------------------------------------------------------------------


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Replaces stand-ins by what they stand for; ``done`` keeps shared parts shared and breaks cycles."""
    if value is None or isinstance(value, str | int | float | bytes | complex):
        return value
    if id(value) in done:
        return done[id(value)]
    result: Any
    if isinstance(value, dict):
        done[id(value)] = result = {}
        result.update({_plain(key, done): _plain(item, done) for key, item in value.items()})
    elif isinstance(value, list):
        done[id(value)] = result = []
        result.extend(_plain(item, done) for item in value)
    elif isinstance(value, tuple):
        done[id(value)] = result = tuple(_plain(item, done) for item in value)
    elif isinstance(value, set | frozenset):
        done[id(value)] = result = frozenset(_plain(item, done) for item in value)
    elif isinstance(value, bytearray):
        done[id(value)] = result = bytes(value)
    elif isinstance(value, _Array):
        done[id(value)] = result = _array(value, done)
    elif isinstance(value, _Scalar):
        done[id(value)] = result = _scalar(value, done)
    else:
        raise TypeError(f"a bare {type(value).__name__} is not data")
    # Ids are only unique among living objects.
    done.setdefault(-1, []).append(value)
    return result


def _array(array: _Array, done: dict[int, Any]) -> Any:
    state = array.state
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise ValueError("an array without content")
    shape, dtype, fortran, raw = state[-4:]
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and 0 <= n < 2**40 for n in shape) or len(shape) > 8:
        raise ValueError(f"array shape {str(shape)[:60]}")
    if not isinstance(dtype, _Dtype):
        raise TypeError("an array without a type")
    count = 1
    for n in shape:
        count *= n
    if "O" in dtype.name:
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError("an object array whose content does not fit its shape")
        nested: Any = [_plain(item, done) for item in raw]
        if fortran and len(shape) > 1:
            raise ValueError("an object array in column order")
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
        raise TypeError("a scalar without a type")
    if "O" in scalar.dtype.name:
        return _plain(scalar.raw, done)
    raw = scalar.raw.encode("latin-1") if isinstance(scalar.raw, str) else scalar.raw
    simple = np.dtype(scalar.dtype.name)
    if not isinstance(raw, bytes) or len(raw) != simple.itemsize:
        raise ValueError("a scalar whose content does not fit its type")
    return np.frombuffer(raw, dtype=simple)[0].item()
