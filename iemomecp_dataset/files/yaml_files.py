"""Reads YAML files of options: plain values alone, each name once, and nothing that grows without bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, missing_extra
from iemomecp_dataset.files import read_text
from iemomecp_dataset.files.bounds import LONGEST_YAML, MOST_YAML_VALUES

__all__ = ["parse_yaml", "read_yaml"]


def read_yaml(path: Path) -> Any:
    """Reads a YAML file.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        MissingDataError: It is not there, is not a file, or cannot be read.
        InvalidDataError: It is not valid YAML, or not UTF-8 text.
        MissingDependencyError: PyYAML is not installed.
    """
    if not path.is_file():
        raise MissingDataError(f"{path} is not there, or is not a file.")
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    r"""Reads YAML text.

    Args:
        text: The text.
        where: The file, for errors.

    Returns:
        What it holds: objects, lists, texts, numbers, truth values, dates and ``None``.

    Raises:
        InvalidDataError: It is not valid YAML, gives a name twice, is longer than 200,000 characters, or holds more
            than 100,000 values when what it refers to by an alias is counted each time.
        MissingDependencyError: PyYAML is not installed.

    Example:
        >>> parse_yaml("epochs: 3\nseeds: [1, 2]", "run.yaml")
        {'epochs': 3, 'seeds': [1, 2]}
    """
    try:
        import yaml
    except ImportError as error:
        raise missing_extra("pyyaml", "train") from error
    if len(text) > LONGEST_YAML:
        raise InvalidDataError(f"{where} is longer than {LONGEST_YAML:,} characters, which no file of options is.")
    try:
        loader = yaml.SafeLoader(text)  # plain values alone: other tags are an error
        node = loader.get_single_node()
        _check_names(node, where)
        content = None if node is None else loader.construct_document(node)
        if _size(content, {}) > MOST_YAML_VALUES:
            raise InvalidDataError(f"{where} holds more than {MOST_YAML_VALUES:,} values, or a list that holds itself.")
    except InvalidDataError:
        raise
    except RecursionError:
        raise InvalidDataError(f"{where} is not valid YAML: its lists are nested too deeply.") from None
    except Exception as error:  # PyYAML's own, and those of Python for a 45th of a month, say
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InvalidDataError(f"{where} is not valid YAML: {reason}.") from None
    return content


def _check_names(node: Any, where: str) -> None:
    """Refuses a name that is given twice, of which YAML would take the last."""
    import yaml

    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in names:
                        line = key.start_mark.line + 1
                        raise InvalidDataError(
                            f"{where}, line {line}: {key.value[:80]!r} is given twice. Give it once."
                        )
                    names.add(key.value)
                waiting += [key, value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _size(value: Any, known: dict[int, int]) -> int:
    """Counts values, each time that they are referred to; a list in itself counts as too many."""
    if not isinstance(value, dict | list | set | tuple):
        return 1
    if id(value) not in known:
        known[id(value)] = MOST_YAML_VALUES + 1  # until it is counted
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]
