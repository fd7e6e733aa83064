"""Fuzzes every reader for some minutes, and prints what came of it.

    python tests/fuzz/run.py --minutes 10
    python tests/fuzz/run.py --minutes 1 --targets 'corpus*'
    python tests/fuzz/run.py --replay .build/fuzz/labels-json-01

Each target runs in a process of its own, with bounded memory; one that dies or hangs is a finding, with the files that
it was reading. Examples of findings are kept in .build/fuzz and can be tried again with --replay.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import fnmatch
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cases")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("PYTHONWARNINGS", "ignore")

KEEP = HERE.parents[1] / ".build" / "fuzz"
MEMORY = 2 << 30
"""Address space that reading may add to what the process has."""
_SILENT, _SILENT_AT_FIRST = 60.0, 300.0
"""Seconds without a sign of life after which a process is ended: C code does not notice the limit of an example. At
first it imports what it needs."""


def targets(kind: str | None = None) -> dict[str, Any]:
    """All targets by name, or those of a kind."""
    from data_targets import DATA_TARGETS
    from result_targets import RESULT_TARGETS

    chosen = {"data": DATA_TARGETS, "results": RESULT_TARGETS}.get(kind or "", [*DATA_TARGETS, *RESULT_TARGETS])
    return {target.name: target for target in chosen}


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--minutes",
        type=float,
        default=10.0,
        help="in total (default: 10); each target tries some at least",
    )
    parser.add_argument("--examples", type=int, help="examples of each target, always the same, instead of a time")
    parser.add_argument("--targets", default="*", help="pattern of names (default: all)")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME", help="targets to leave out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--list", action="store_true", help="print the names of the targets")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="try a kept example again")
    parser.add_argument("--keep", type=Path, default=KEEP, help="folder of examples of findings (default: .build/fuzz)")
    parser.add_argument("--kind", choices=("data", "results"), help="only targets that read data, or results")
    parser.add_argument("--one-process", action="store_true", help="all targets in one process, as the test suite does")
    parser.add_argument("--one", metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=1e9, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        return _one(given)
    if given.replay:
        return _replay(given.replay)
    names = [name for name in targets(given.kind) if fnmatch.fnmatch(name, given.targets) and name not in given.without]
    if given.list:
        print(*names, sep="\n")
        return 0
    if not names:
        parser.error(f"no target is called {given.targets!r}; --list prints them")
    started = time.monotonic()
    failed = _printed(_one_after_another(names, given) if given.one_process else _side_by_side(names, given))
    print(f"took {(time.monotonic() - started) / 60:.1f} min, with what every target tries at least, and imports")
    return failed


def _limit_memory() -> None:
    """Bounds the address space; what is too large for it is a MemoryError in Python, and a finding."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


def _one(given: argparse.Namespace) -> int:
    """Fuzzes one target in this process."""
    from fuzzing import Report, fuzz

    _quiet()
    target = targets()[given.one]

    def tell(report: Report) -> None:
        partial = given.report.with_suffix(".part")
        partial.write_text(json.dumps(report.to_json()))
        partial.replace(given.report)

    report = fuzz(
        target, given.work, seconds=given.seconds, examples=given.examples or 10**9,
        seed=given.seed, keep=given.keep, progress=tell,
    )  # fmt: skip
    tell(report)
    return 0


def _one_after_another(names: list[str], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Fuzzes targets in this process, one after the other."""
    from fuzzing import fuzz

    _quiet()
    share = given.minutes * 60 / len(names)
    seconds, examples = (1e9, given.examples) if given.examples else (share, 10**9)
    reports = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        for number, name in enumerate(names):
            work = Path(scratch) / str(number)
            report = fuzz(targets()[name], work, seconds=seconds, examples=examples, seed=0, keep=given.keep)
            reports.append(report.to_json())
    return reports


def _quiet() -> None:
    """Keeps what readers say and warn of from the table, and bounds the memory."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    _limit_memory()


def _side_by_side(names: list[str], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Fuzzes targets in processes of their own."""
    keep = given.keep
    if keep == KEEP and keep.exists() and given.targets == "*":
        shutil.rmtree(keep)
    end, left = time.monotonic() + given.minutes * 60, len(names)

    def one(name: str) -> dict[str, Any]:
        nonlocal left
        share = max(end - time.monotonic(), 0) * given.jobs / max(left, given.jobs)
        report = _process(name, share, given)
        left -= 1
        print(_line(report), file=sys.stderr, flush=True)
        return report

    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        return list(pool.map(one, names))


def _line(report: dict[str, Any]) -> str:
    count = sum(finding["times"] for finding in report["findings"])
    counts = "".join(f"{report[key]:9}" for key in ("tried", "refused", "equal", "changed"))
    return f"{report['target']:32}{counts}{count:6}{report['seconds']:7.0f}"


def _printed(reports: list[dict[str, Any]]) -> int:
    """Prints the table and the findings; 1 where there are some."""
    print(f"{'target':32}{'tried':>9}{'refused':>9}{'equal':>9}{'changed':>9}{'else':>6}{'s':>7}")
    for report in reports:
        print(_line(report))
    sums = [sum(report[key] for report in reports) for key in ("tried", "refused", "equal", "changed")]
    findings = [(report["target"], finding) for report in reports for finding in report["findings"]]
    total = sum(finding["times"] for _, finding in findings)
    print(f"{'all':32}{''.join(f'{number:9}' for number in sums)}{total:6}")
    unnamed = {report["target"]: report["unnamed"] for report in reports if report["unnamed"]}
    if unnamed:
        print("refused without the name of a damaged file:", ", ".join(f"{k} {v}" for k, v in unnamed.items()))
    idle = [report["target"] for report in reports if not report["tried"]]
    if idle:
        print("error: nothing was tried of:", ", ".join(idle))
    for name, finding in findings:
        print(f"\n{name}: {finding['signature']}, {finding['times']} times; first {finding['words'][:300]}")
        print("  " + finding["detail"].strip().rpartition("\n")[2][:300])
        if finding["folder"]:
            print(f"  again: python tests/fuzz/run.py --replay {finding['folder']}")
    return int(bool(findings or idle))


def _process(name: str, seconds: float, given: argparse.Namespace) -> dict[str, Any]:
    """Fuzzes one target in a process; begins another one where it died."""
    from fuzzing import Finding, Report

    total = Report(name).to_json()
    seed, end = 0, time.monotonic() + seconds
    deaths = 0
    while True:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            work = Path(scratch)
            report = work / "report.json"
            command = [
                sys.executable, __file__, "--one", name, "--work", str(work / "work"), "--report", str(report),
                "--keep", str(given.keep),
            ]  # fmt: skip
            command += ["--examples", str(given.examples), "--seed", "0"] if given.examples else []
            if not given.examples:
                command += [
                    "--seconds",
                    str(max(end - time.monotonic(), 1.0)),
                    "--seed",
                    str(seed + int(time.time()) % 10**6),
                ]
            with open(work / "output", "wb") as output:
                child = subprocess.Popen(command, stdout=output, stderr=output)
                code = _waited(child, report)
            said = (work / "output").read_text(errors="replace")[-1500:]
            found = json.loads(report.read_text()) if report.is_file() else Report(name).to_json()
            for key in ("tried", "refused", "equal", "changed", "unnamed", "seconds"):
                total[key] += found[key]
            known = {finding["signature"]: finding for finding in total["findings"]}
            for finding in found["findings"]:
                if finding["signature"] in known:
                    known[finding["signature"]]["times"] += finding["times"]
                else:
                    total["findings"].append(finding)
            if code == 0:
                return total
            deaths += 1
            seed += 1
            words = f"process ended with {code}" if code is not None else f"no sign of life for {_SILENT:g} s"
            kept = given.keep / f"{name.replace(' ', '-')}-process-{deaths:02d}"
            if (work / "work" / "case").is_dir():
                kept.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-r", str(work / "work" / "case"), str(kept)], check=False)
            finding = Finding(words, f"files in {kept}", said)
            total["findings"].append(finding.__dict__)
            if given.examples or deaths > 3 or time.monotonic() > end - 2:
                return total


def _waited(child: subprocess.Popen[bytes], report: Path) -> int | None:
    """Waits for a process, and ends it where it no longer writes its report."""
    changed, last = time.monotonic(), -1.0
    while child.poll() is None:
        time.sleep(0.1)
        now = report.stat().st_mtime if report.is_file() else 0.0
        if now != last:
            changed, last = time.monotonic(), now
        if time.monotonic() - changed > (_SILENT if now else _SILENT_AT_FIRST):
            child.kill()
            child.wait()
            return None
    return child.returncode


def _replay(folder: Path) -> int:
    """Tries a kept example again."""
    from fuzzing import Case, attempt, load_example

    name, example = load_example(folder)
    _limit_memory()
    with tempfile.TemporaryDirectory() as scratch:
        case = Case(targets()[name], Path(scratch))
        case.put(example)
        print(f"{name}: {example!r}"[:2000])
        kind, detail, where = attempt(case, example)
        print(f"{kind} {where}\n{detail}")
    return int(kind not in ("refused", "equal", "changed", "refused without a name"))


if __name__ == "__main__":
    sys.exit(main())
