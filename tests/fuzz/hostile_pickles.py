"""Damage to pickles: of their opcodes, and constructs that would run code, never end or fill the memory."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

__all__ = ["damage_pickle"]

MANY = 100_000
_VALUES = (
    b"N", b"\x88", b"K\x00", b"K\xff", b"J\xff\xff\xff\xff", b"]", b"}", b")", b"Vx\n", b"V\n",
    b"G\x7f\xf8\0\0\0\0\0\0", b"C\x01x", b"\x8f", b"0", b"2",
)  # fmt: skip


def _call(module: str, name: str, argument: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(V" + argument.encode() + b"\ntR"


def _bomb() -> bytes:
    """Ten times the list before, 28 times over."""
    levels = (b"](h" + bytes([n]) + (b"h" + bytes([n])) * 9 + b"eq" + bytes([n + 1]) for n in range(1, 30))
    return b"]q\x01" + b"".join(levels)


def _hostile(canary: str) -> tuple[bytes, ...]:
    touch = f"touch {canary}"
    code = f"open({canary!r}, 'w').close()"
    short = lambda text: b"\x8c" + bytes([len(text)]) + text.encode()  # noqa: E731
    return (
        _call("os", "system", touch),
        _call("posix", "system", touch),
        _call("builtins", "eval", code),
        _call("builtins", "exec", code),
        _call("builtins", "__import__", "antigravity"),
        _call("__builtin__", "eval", code),
        _call("subprocess", "getoutput", touch),
        _call("numpy", "load", canary),
        _call("numpy.testing._private.utils", "runstring", code),
        _call("pandas", "read_pickle", canary),
        _call("torch", "load", canary),
        b"(V" + touch.encode() + b"\nios\nsystem\n",
        b"(cos\nsystem\nV" + touch.encode() + b"\no",
        b"\x80\x04" + short("os") + short("system") + b"\x93" + short(touch) + b"\x85R",
        b"\x80\x04" + short("builtins") + short("getattr") + b"\x93(" + short("x") + short("__class__") + b"tR",
        b"cnumpy\nndarray\n(tR}V__setstate__\ncos\nsystem\nsb",
        b"ccopyreg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tc_codecs\nencode\n(Vb\nVlatin1\ntRtR",
        b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(K\x00tU\x01btR",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02f8K\x00K\x01tRU\x08AAAAAAAAtR",
        b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02O8K\x00K\x01tRU\x08AAAAAAAAtR",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(J\xff\xff\xff\x7ftcnumpy\ndtype\n"
        b"(U\x02f8K\x00K\x01tR\x89U\x00tb",
        b"ccollections\ndefaultdict\n(cos\nsystem\ntR",
        b"ccollections\nOrderedDict\n(tR",
        b"c_codecs\nencode\n(V" + b"x" * MANY + b"\nVpunycode\ntR",
        b"c_codecs\ndecode\n(Vx\nVzlib\ntR",
        b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR",
        b"cbuiltins\nrange\n(J\xff\xff\xff\x7ftR",
        b"cbuiltins\nlist\n(cbuiltins\nrange\n(J\xff\xff\xff\x7ftRtR",
        b"\x82\x01",
        b"Px\n",
        b"\x97",
        # Tuples of tuples, which take for ever to hash.
        b"})q\x01" + b"".join(b"0(h%ch%ctq%c" % (n, n, n + 1) for n in range(1, 61)) + b"Ns",
        # Lists of lists: a few bytes that are gigabytes when they are shown.
        _bomb(),
        b"(" * MANY,
        b"]" * MANY + b"a" * (MANY - 1),
        b"(" + b"(" * 3000 + b"t" * 3000 + b"t",
        b"]q\x07h\x07a",
        b"}q\x07h\x07Vx\nh\x07s",
        b"X\xff\xff\xff\x7f",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"L" + b"9" * 6000 + b"L\n",
        b"I" + b"9" * 400 + b"\n",
        b"F1e999\n",
        b"r\xff\xff\xff\x7f",
        b"p99999999999999999999\n",
        b"\x8aA" + b"\xff" * 65,
        b"V\\ud800\n",
        b"S'\\xff'\n",
        b"(Vx\nVx\nd",
        b"(]Vx\nd",
    )  # fmt: skip


def damage_pickle(draw: Callable[[st.SearchStrategy[Any]], Any], content: bytes, canary: str) -> tuple[bytes, str]:
    """Damages a pickle.

    Args:
        draw: As hypothesis gives it.
        content: The pickle.
        canary: A file that hostile constructs make if they run.

    Returns:
        The damaged pickle, and the damage.
    """
    try:
        starts = [position for _, _, position in pickletools.genops(content) if position is not None]
    except (ValueError, struct.error, UnicodeDecodeError, IndexError):
        return content[:-1], "damaged twice, and cut"
    here, there = (draw(st.integers(0, len(starts) - 1)) for _ in range(2))
    ends = [*starts[1:], len(content)]
    codes = [content[start:end] for start, end in zip(starts, ends, strict=True)]
    match draw(st.integers(0, 8)):
        case 0:
            del codes[here]
            words = f"opcode {here} removed"
        case 1:
            codes.insert(here, codes[there])
            words = f"opcode {there} again at {here}"
        case 2:
            codes[here], codes[there] = codes[there], codes[here]
            words = f"opcodes {here} and {there} exchanged"
        case 3:
            code = draw(st.sampled_from(pickletools.opcodes)).code.encode("latin-1")
            codes[here] = code + codes[here][1:]
            words = f"opcode {here} is {code!r}"
        case 4:
            codes[here] = draw(st.sampled_from(_VALUES))
            words = f"opcode {here} is {codes[here]!r}"
        case 5:
            codes[here:here] = codes[there : there + draw(st.integers(1, 30))]
            words = f"opcodes of {there} again at {here}"
        case 6:
            hostile = draw(st.sampled_from(_hostile(canary)))
            return hostile + b".", f"only {hostile[:60]!r}"
        case 7:
            hostile = draw(st.sampled_from(_hostile(canary)))
            codes.insert(here, hostile + b"0")
            words = f"{hostile[:60]!r} at {here}"
        case _:
            hostile = draw(st.sampled_from(_hostile(canary)))
            codes[here] = hostile
            words = f"opcode {here} is {hostile[:60]!r}"
    return b"".join(codes), words
