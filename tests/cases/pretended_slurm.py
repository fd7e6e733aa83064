"""Programs with the names of SLURM's that keep a queue in a file: what a launcher asks and submits, without a cluster.

No job runs: a test says what has become of it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """\
#!{python} -SE
import json, os, sys, time
from pathlib import Path

folder, name, given = Path({folder!r}), Path(sys.argv[0]).name, sys.argv[1:]
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps([name, *given]) + "\\n")
answer = folder / (name + ".answer")
if answer.exists():
    code, _, text = answer.read_text().partition(" ")
    print(text, file=sys.stderr if int(code) else sys.stdout)
    sys.exit(int(code))
queue_file = folder / "queue"
queue = json.loads(queue_file.read_text())
if name == "sbatch":
    time.sleep(float((folder / "sbatch.seconds").read_text()))
    options = dict(line[10:].strip().partition("=")[::2] for line in open(given[-1]) if line.startswith("#SBATCH --"))
    n = int(options["array"].partition("%")[0].partition("-")[2]) + 1 if "array" in options else 1
    array = str(100 + len(queue))
    for index in range(n):
        job = dict(array=array, index=str(index) if "array" in options else "N/A", state="PENDING", reason="Priority")
        queue.append(dict(job, name=options["job-name"]))
    queue_file.write_text(json.dumps(queue))
    print("Submitted batch job", array)
elif name == "squeue":
    names = given[given.index("-n") + 1].split(",")
    for job in queue:
        if job["name"] in names:
            print("{{array}}|{{index}}|{{state}}|{{reason}}|{{name}}".format(**job))
elif name == "sinfo":
    print("node1\\nnode2")
elif name == "sacct":
    sys.exit("Slurm accounting storage is disabled")
elif given[:2] == ["show", "config"]:
    print("MaxArraySize            = 1001")
"""


class PretendedSlurm:
    """The programs and their queue.

    Attributes:
        programs: The folder to be put on the PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        self._folder = folder
        for name in ("sbatch", "squeue", "scontrol", "srun", "sinfo", "sacct", "scancel"):
            program = self.programs / name
            program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
            program.chmod(0o755)
        self._write([])
        self.take(0.0)

    def calls(self, name: str) -> list[list[str]]:
        """The arguments of every call of a program."""
        file = self._folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [given[1:] for given in map(json.loads, lines) if given[0] == name]

    def answer(self, name: str, code: int, text: str) -> None:
        """Lets a program say only this from now on, to its standard error if it fails."""
        (self._folder / f"{name}.answer").write_text(f"{code} {text}")

    def listen(self, name: str) -> None:
        """Lets a program do its work again."""
        (self._folder / f"{name}.answer").unlink()

    def take(self, seconds: float) -> None:
        """Lets ``sbatch`` take its time."""
        (self._folder / "sbatch.seconds").write_text(str(seconds))

    def queue(self) -> list[dict[str, Any]]:
        """All jobs, in the order of their submission."""
        return list(json.loads((self._folder / "queue").read_text()))

    def turn(self, place: int, state: str, reason: str = "None") -> None:
        """Gives a job another state."""
        queue = self.queue()
        queue[place] |= {"state": state, "reason": reason}
        self._write(queue)

    def forget(self, *places: int) -> None:
        """Drops jobs from the queue, as the controller does some minutes after their end."""
        self._write([job for place, job in enumerate(self.queue()) if place not in places])

    def _write(self, queue: list[dict[str, Any]]) -> None:
        (self._folder / "queue").write_text(json.dumps(queue))
