"""What the ranks of one run must have in common, and the sentence where they do not.

Ranks on several machines each read their own files with their own installation. A run whose ranks differ in these
would end, without a word, with weights that nobody can make again: so they compare, once, before anything is written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import iemomecp_dataset
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.trainers.options import RunSettings, told_by_results
from iemomecp_dataset.trainers.provenance import code_revision, library_versions
from iemomecp_dataset.trainers.run_inputs import RunInputs

__all__ = [
    "differences",
    "facts_of_inputs",
    "facts_of_installation",
    "facts_of_launch",
    "facts_of_options",
    "ranks_in_words",
]

_COMPARED_LIBRARIES = ("iemomecp", "accelerate", "datasets", "numpy", "torch", "transformers")

_PACKAGE = Path(iemomecp_dataset.__file__).parent

_OF_A_MACHINE = frozenset({"cache_dir", "output_dir", "quiet"})
"""Options that may differ: that the run folder is the same one is found out by writing to it."""

_COMPARED_BY_CONTENT = frozenset({"data_fingerprint", "features", "initialized_from", "text_encoder"})
"""Fields of the results that tell what lies under a path, which may be another on each machine."""

_OF_FEATURES = ("revision", "settings", "width", "digest", "missing")


def differences(facts: Sequence[Mapping[str, str]], hosts: Sequence[str]) -> list[str]:
    """Names what differs between ranks, with the values and the ranks that have them.

    Args:
        facts: For each rank its facts by name. What a rank does not know, it leaves out, and it is not compared.
        hosts: For each rank the name of its machine.

    Returns:
        Phrases, in the order of the names as they first occur.

    Example:
        >>> differences([{"torch": "2.13.0"}, {"torch": "2.12.1"}, {"torch": "2.13.0"}], ["a", "b", "c"])
        ['torch is 2.13.0 on ranks 0 (a) and 2 (c), and 2.12.1 on rank 1 (b)']
        >>> differences([{"torch": "2.13.0"}, {}], ["a", "b"])
        []
    """
    found = []
    for name in dict.fromkeys(name for of_rank in facts for name in of_rank):
        by_value: dict[str, list[int]] = {}
        for rank, of_rank in enumerate(facts):
            if name in of_rank:
                by_value.setdefault(of_rank[name], []).append(rank)
        if len(by_value) > 1:
            phrases = [f"{value} on {ranks_in_words(ranks, hosts)}" for value, ranks in by_value.items()]
            found.append(f"{name} is {', and '.join(phrases)}")
    return found


def ranks_in_words(ranks: Sequence[int], hosts: Sequence[str]) -> str:
    """Lists ranks with their machines, the first three of many.

    Args:
        ranks: The ranks, at least one.
        hosts: For each rank of the run the name of its machine.

    Example:
        >>> ranks_in_words([1], ["a", "b"]), ranks_in_words([0, 1, 2, 3, 4], ["a", "a", "a", "b", "b"])
        ('rank 1 (b)', 'ranks 0 (a), 1 (a), 2 (a) and 2 more')
    """
    named = [f"{rank} ({hosts[rank]})" for rank in ranks]
    if len(named) > 4:
        named = [*named[:3], f"{len(named) - 3} more"]
    text = " and ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)
    return f"{'ranks' if named[1:] else 'rank'} {text}"


def facts_of_installation() -> dict[str, str]:
    """What computes on this rank: versions of Python and of the libraries that results depend on, and the code.

    Of Python the number before the last dot does not count, as bug fixes do not change results.
    """
    versions = library_versions()
    facts = {"Python": ".".join(versions["python"].split(".")[:2])}
    facts |= {name: versions[name] for name in _COMPARED_LIBRARIES if name in versions}
    if revision := code_revision():
        facts["the git revision of the package"] = revision
    # A copy without git, and changes that are not committed, have no revision that tells them apart.
    facts["the digest of the package's code"] = _digest_of_code()
    return facts


def _digest_of_code() -> str:
    """SHA-256 of the Python files of the package, wherever each of them lies; 12 hexadecimal digits."""
    # An installation has the rooms within the package, a checkout has links to them there.
    rooms = [_PACKAGE, *(_PACKAGE / room for room in ("benchmark", "metrics", "trainers"))]
    files = {file.resolve() for room in rooms for file in room.resolve().rglob("*.py")}
    digests = sorted((file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files)
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:12]


def facts_of_launch() -> dict[str, str]:
    """How many processes the launcher of this rank was asked for, on all machines together.

    Launchers that are asked for different numbers find each other all the same, and train as many as they start.
    ``iemomecp train`` passes the number on. ``accelerate launch`` starts equally many on each machine. With others,
    machines may have different numbers, and nothing is compared.
    """
    values = os.environ
    asked = values.get("IEMOMECP_NUM_PROCESSES")
    started = (values.get("LOCAL_WORLD_SIZE"), values.get("GROUP_WORLD_SIZE"))
    if asked is None and "ACCELERATE_MIXED_PRECISION" in values and all(started):
        asked = str(int(str(started[0])) * int(str(started[1])))
    return {} if asked is None else {"--num_processes": asked}


def facts_of_options(options: RunSettings) -> dict[str, str]:
    """What this rank was asked for; of a path only whether it is given, as its content is compared.

    Args:
        options: The run's options.

    Returns:
        The values by the options' names.
    """
    by_content = {name for name, field in told_by_results(type(options)).items() if field in _COMPARED_BY_CONTENT}
    facts = {}
    for name, value in options.flat().items():
        if name in by_content and isinstance(value, str | Path):
            facts[f"--{name}"] = "given"
        elif name in by_content and value is None:
            facts[f"--{name}"] = "not given"
        elif name not in _OF_A_MACHINE:
            facts[f"--{name}"] = shown(value)
    return facts


def facts_of_inputs(inputs: RunInputs) -> dict[str, str]:
    """What this rank has read, by content.

    Args:
        inputs: The description that the run folder keeps as well.

    Returns:
        Digests by what they are of. What could not be read is absent: the rank that lacks it ends with its own error.

    Example:
        >>> facts_of_inputs(RunInputs({"train": "3f2a"}, {"train": "77ab"}, effective_batch_size=16))
        {'the content of train': '3f2a', 'the text of train': '77ab', 'the effective batch size': '16'}
    """
    content = inputs.to_json()
    facts = {f"the content of {split}": str(digest) for split, digest in content["data"].items()}
    facts |= {f"the text of {split}": str(digest) for split, digest in content["texts"].items()}
    for stream, known in content["features"].items():
        facts |= {
            f"the {name} of the {stream} features": _short(known[name])
            for name in _OF_FEATURES
            if known.get(name) not in (None, "unknown")
        }
    if content["initialized_from"] and "unknown" not in content["initialized_from"]:
        facts["the run that it begins with (--init_from)"] = _short(content["initialized_from"])
    return facts | {"the effective batch size": str(content["effective_batch_size"])}


def _short(value: Any) -> str:
    """A value in a message; a nested one by its digest."""
    if isinstance(value, dict | list):
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
    return str(value)
