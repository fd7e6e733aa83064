"""Damage to files, drawn by hypothesis: of bytes, of lines, and of what a format holds.

Each function takes ``draw`` and the content, and returns the damaged content with a few words on the damage. A damage
that :data:`PRESERVES` says the same in other bytes: whoever reads it must find the same or refuse.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

__all__ = ["PRESERVES", "damage_bytes", "damage_content", "damage_json", "damage_lines", "damage_yaml"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
Damaged = tuple[bytes, str]

MANY = 100_000
PRESERVES = frozenset({"a byte-order mark", "line ends of Windows", "written again as JSON"})

TOKENS = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"NaN", b"-1", b"1e400", b"null", b"true", b'"', b"'", b"[", b"]",
    b"{", b"}", b"(", b")", b",", b":", b"|", b"\t", b"\r", b"\n", b"\x1a", b"\x85", b"\xe2\x80\xa8", b"\\ud800",
    b"99999999999", b"0x10", b"%s", b"../", b"=1+1", b"<script>", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"-", b"_", b"#",
    "０１".encode(), "é".encode(), "e\u0301".encode(), "🙂".encode(),
)  # fmt: skip
NUMBERS = (
    "", "0", "-1", "-0", "+1", "01", "1.5", "1e3", "1e400", "-1e400", "nan", "inf", "2147483648", "-2147483649",
    "9223372036854775808", "9" * 400, "9" * 5000, "1_000", "１", "0x1", "1,5", "one", " 1 ", "99999999",
)  # fmt: skip


_FIELDS = (" " * MANY, "x" * MANY, "(" * MANY, '"', "“", "\ud800", "=1", "\0")


class Raw(str):
    """Text that stands in a JSON file as it is."""


class Members(list[Any]):
    """An object of JSON as its pairs, so that a key can occur twice."""


def _deep(opening: str, closing: str, depth: int = MANY) -> Raw:
    return Raw(opening * depth + "1" + closing * depth)


VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 2**31, -(2**31) - 1, 2**63, 2**64, 0.5, 1.0, -0.0, 1e300, Raw("NaN"),
    Raw("-Infinity"), Raw("1e400"), Raw("9" * 400), Raw("-" + "9" * 5000), "", " ", "x", "1", "-1", "1.0", "null",
    "\0", "\ud800", "a\udfffb", "\u202e", "é", "a\nb", "a\r\nb", "\u2028", "=1+1", "1_joy", "(1,1)", "train",
    "test", "../x", "/dev/zero",
    "x" * MANY, " " * MANY, "1 " * MANY, "(" * MANY, "。" * MANY, [], {}, [None], [[]], [1], ["x"], [1, 2, 3],
    {"x": 1}, {"": None}, [True], [0.5], [[1, 2], [3]], list(range(3000)), _deep("[", "]"), _deep('{"a":', "}"),
    _deep("[", "]", 600),
)  # fmt: skip


def damage_content(draw: Draw, content: bytes, kind: str) -> Damaged:
    """Damages a file of some format.

    Args:
        draw: As hypothesis gives it.
        content: The file.
        kind: ``json``, ``jsonl``, ``yaml``, ``lines`` or anything else, which is bytes.

    Returns:
        The damaged file, and the damage.
    """
    as_bytes = draw(st.integers(0, 3)) == 0 or len(content) > 3 * MANY  # large by an earlier damage
    try:
        if kind in ("json", "yaml") and not as_bytes:
            return (damage_yaml if kind == "yaml" else damage_json)(draw, content)
        if kind == "jsonl" and draw(st.booleans()):
            lines = content.split(b"\n")
            where = draw(st.integers(0, len(lines) - 1))
            lines[where], words = damage_json(draw, lines[where])
            return b"\n".join(lines), f"line {where + 1}: {words}"
        if kind in ("lines", "jsonl") and not as_bytes:
            return damage_lines(draw, content)
    except HypothesisException:
        raise
    except Exception:  # damaged before, so that it is none of this any more
        pass
    return damage_bytes(draw, content)


def damage_bytes(draw: Draw, content: bytes) -> Damaged:
    """Damages bytes: cut, flipped, spliced, repeated, inserted, in another encoding."""
    size = len(content)
    here, there = (draw(st.integers(0, max(size - 1, 0))) for _ in range(2))
    match draw(st.integers(0, 12)):
        case 0:
            return content[:here], f"cut at {here}"
        case 1:
            length = draw(st.integers(1, 40))
            return content[:here] + content[here + length :], f"{length} bytes removed at {here}"
        case 2 if size:
            bit = draw(st.integers(0, 7))
            return _at(content, here, 1, bytes([content[here] ^ (1 << bit)])), f"bit {bit} of byte {here} flipped"
        case 3 if size:
            value = draw(st.integers(0, 255))
            return _at(content, here, 1, bytes([value])), f"byte {here} is {value}"
        case 4:
            length = draw(st.integers(1, 400))
            return _at(content, here, 0, content[there : there + length]), f"bytes of {there} again at {here}"
        case 5:
            length, times = draw(st.integers(1, 60)), draw(st.sampled_from((2, 10, 1000)))
            return _at(content, here, 0, content[here : here + length] * times), f"{length} bytes {times} times"
        case 6 | 7:
            token = draw(st.sampled_from(TOKENS))
            return _at(content, here, 0, token), f"{token!r} at {here}"
        case 8:
            return codecs.BOM_UTF8 + content, "a byte-order mark"
        case 9:
            encoding = draw(st.sampled_from(("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-8-sig")))
            text = content.decode("utf-8", errors="replace")
            return text.encode(encoding, errors="replace"), f"written as {encoding}"
        case 10:
            return content[there:] + content[:there], f"begins at {there}"
        case 11:
            blank = draw(st.sampled_from((b" ", b"\t", b"\n", b"\0", b"\xc2\xa0")))
            return _at(content, here, 0, blank * MANY), f"{MANY} times {blank!r} at {here}"
        case _:
            return content + content, "twice"


def damage_lines(draw: Draw, content: bytes) -> Damaged:
    """Damages text in lines: lines, fields and numbers."""
    lines = content.decode("utf-8", errors="surrogateescape").split("\n")
    here, there = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    words = f"line {here + 1}: "
    match draw(st.integers(0, 12)):
        case 0:
            lines[here], lines[there] = lines[there], lines[here]
            words = f"lines {here + 1} and {there + 1} exchanged"
        case 1:
            times = draw(st.sampled_from((1, 1, 2, 3000)))
            lines[here:here] = [lines[here]] * times
            words += f"{times} times more"
        case 2:
            del lines[here]
            words += "removed"
        case 3:
            lines.insert(here, "")
            words += "empty before it"
        case 4:
            return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "line ends of Windows"
        case 5:
            return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r"), "line ends of old Macs"
        case 6 | 7 if numbers := [m.span() for m in re.finditer(r"\d+", lines[here])]:
            start, end = draw(st.sampled_from(numbers))
            number = draw(st.sampled_from(NUMBERS))
            lines[here] = lines[here][:start] + number + lines[here][end:]
            words += f"a number is {number[:20]!r}"
        case 8 | 9 if len(fields := re.split(r"([,|;\t\[\]:]|\s-\s)", lines[here])) > 2:
            one, other = (draw(st.integers(0, (len(fields) - 1) // 2)) * 2 for _ in range(2))
            change = draw(st.integers(0, 3))
            if change == 0:
                fields[one], fields[other] = fields[other], fields[one]
            elif change == 1:
                fields[one] = ""
            elif change == 2:
                fields[one] = draw(st.sampled_from(_FIELDS))
            else:
                del fields[one : one + 2]
            lines[here] = "".join(fields)
            words += ("fields exchanged", "a field empty", f"a field is {fields[one][:20]!r}", "a field less")[change]
        case 10:
            blank = draw(st.sampled_from((" ", "\t", "\u3000", ".", "1")))
            where = draw(st.integers(0, len(lines[here])))
            lines[here] = lines[here][:where] + blank * MANY + lines[here][where:]
            words += f"{MANY} times {blank!r}"
        case 11:
            other_case = draw(st.sampled_from((str.upper, str.lower, str.strip, str.title)))
            lines[here] = other_case(lines[here])
            words += other_case.__name__
        case _:
            lines[here:] = lines[here:] + lines[here:]
            words = f"lines from {here + 1} twice"
    text = "\n".join(lines)
    return text.encode("utf-8", errors="surrogatepass" if "\ud800" in text else "surrogateescape"), words


def damage_json(draw: Draw, content: bytes) -> Damaged:
    """Damages what a JSON file holds: values, keys, items and their order."""
    root = [json.loads(content.decode("utf-8"), object_pairs_hook=Members)]
    words = _damage_tree(draw, root)
    return _dumped(root[0]).encode("utf-8", errors="surrogatepass"), words


_YAML = (
    "x: !!python/object/apply:os.system ['touch {canary}']", "x: !!python/name:os.system", "x: &a [*a]", "x: *missing",
    "<<: 3", "? [a, b]\n: c", "x: !!binary '=='", "x: !!set {a, b}", "x: 2024-13-45", "x: 2024-01-01",
    "x: !!timestamp 1",
    "x: .nan", "x: 12:30:45", "x: 0o7", "x: !!int ''", "\t- x", "---\na: 1\n---\nb: 2", "%YAML 9.9\n---\n", "x: 'open",
    "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n"
    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g]\ni: [*h,*h,*h,*h,*h,*h,*h,*h]",
)  # fmt: skip


def damage_yaml(draw: Draw, content: bytes) -> Damaged:
    """Damages what a YAML file holds, or adds lines that only YAML has."""
    import yaml

    if draw(st.integers(0, 3)) == 0:
        lines = draw(st.sampled_from(_YAML))
        return content + b"\n" + lines.encode() + b"\n", f"lines of YAML: {lines[:60]!r}"
    loaded = yaml.safe_load(content.decode("utf-8"))
    root = [json.loads(json.dumps(loaded), object_pairs_hook=Members)]
    words = _damage_tree(draw, root)
    if isinstance(root[0], Members):
        return "\n".join(f"{_dumped(key)}: {_dumped(value)}" for key, value in root[0]).encode(), words
    return _dumped(root[0]).encode("utf-8", errors="surrogatepass"), words


def _damage_tree(draw: Draw, root: list[Any]) -> str:
    places = list(_places(root, "$"))
    holder, key, where = draw(st.sampled_from(places))
    value = _get(holder, key)
    match draw(st.integers(0, 15)):
        case 0 | 1 | 2 | 3 | 4:
            new = draw(st.sampled_from(VALUES))
            _set(holder, key, new)
            return f"{where} is {_dumped(new)[:40]}"
        case 5 if holder is not root:
            del holder[key]
            return f"{where} removed"
        case 6 if holder is not root:
            holder.insert(key, holder[key])
            return f"{where} twice"
        case 7 | 8:
            other, there, elsewhere = draw(st.sampled_from(places))
            alike = [p for p in places if p[2].rpartition(".")[2] == where.rpartition(".")[2]]
            if draw(st.booleans()):
                other, there, elsewhere = draw(st.sampled_from(alike))
            one, two = value, _get(other, there)
            if not (where.startswith(elsewhere) or elsewhere.startswith(where)):
                _set(holder, key, two)
                _set(other, there, one)
            return f"{where} and {elsewhere} exchanged"
        case 9 if isinstance(value, Members) and value:
            at = draw(st.integers(0, len(value) - 1))
            name = draw(st.sampled_from(("", "x", value[at][0].upper(), value[at][0] + " ", "\ud800", value[0][0])))
            value[at] = (name, value[at][1])
            return f"{where}: key {at} is {name!r}"
        case 10 if isinstance(value, Members | list):
            new = draw(st.sampled_from(VALUES))
            value.append(("new", new) if isinstance(value, Members) else new)
            return f"{where} also holds {_dumped(new)[:40]}"
        case 11:
            _set(holder, key, [value])
            return f"{where} in a list"
        case 12:
            _set(holder, key, Members([("0", value)]))
            return f"{where} in an object"
        case 13 if isinstance(value, str | int | float) and not isinstance(value, bool):
            new = str(value) if not isinstance(value, str) else int(value) if value.isdigit() else [value]
            _set(holder, key, new)
            return f"{where} is {new!r:.60}, of another type"
        case 14 if isinstance(value, list) and not isinstance(value, Members):
            value.reverse()
            return f"{where} in reverse order"
        case 15 if isinstance(value, int) and not isinstance(value, bool):
            new = value + draw(st.sampled_from((-1, 1, 10, 2**31)))
            _set(holder, key, new)
            return f"{where} is {new}"
        case _:
            # The keys in another order, but those of dialogues: rows are in the order of the file.
            for held, at, _ in places:
                inner = _get(held, at)
                if isinstance(inner, Members) and not any(isinstance(item, list) for _, item in inner):
                    inner.reverse()
            return "written again as JSON"


def _places(node: Any, where: str) -> Any:
    """Every value with what holds it."""
    for position, item in enumerate(node):
        named = isinstance(node, Members)
        value = item[1] if named else item
        inside = f"{where}.{item[0]}" if named else where if where == "$" else f"{where}[{position}]"
        yield node, position, inside
        if isinstance(value, list):
            yield from _places(value, inside if inside != "$" else "$ ")


def _get(holder: Any, key: int) -> Any:
    return holder[key][1] if isinstance(holder, Members) else holder[key]


def _set(holder: Any, key: int, value: Any) -> None:
    holder[key] = (holder[key][0], value) if isinstance(holder, Members) else value


def _dumped(node: Any) -> str:
    if isinstance(node, Raw):
        return str(node)
    if isinstance(node, Members):
        return "{" + ", ".join(f"{json.dumps(key)}: {_dumped(value)}" for key, value in node) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(_dumped, node)) + "]"
    if isinstance(node, dict):
        return _dumped(Members(node.items()))
    return json.dumps(node)


def _at(content: bytes, where: int, length: int, new: bytes) -> bytes:
    return content[:where] + new + content[where + length :]
