"""Measures training, extraction and prediction on one GPU, each against a plain loop in the same run.

python scripts/bench_gpu.py
python scripts/bench_gpu.py --only training,predict --encoder all-MiniLM-L6-v2
python scripts/bench_gpu.py --smoke
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import active_environment  # noqa: F401

from iemomecp_dataset.benchmark.speed.gpu.sections import SECTIONS
from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.files import check_place, write_json


@dataclass(frozen=True)
class Options:
    """Options of the script."""

    only: str = option(",".join(SECTIONS), "comma-separated sections")
    minutes: float = option(7.0, "time for all of it; what is not done by then is named", above=0.0)
    encoder: str | None = option(None, "folder of a text encoder, in place of those with random weights")
    output: str = option(".build/bench_gpu.json", "JSON file of the record", written=True)
    smoke: bool = option(False, "the same code on the CPU with tiny sizes: for trying it, its numbers mean nothing")


def main() -> int:
    """Measures, prints a table and writes the record; 1 if nothing was measured, or a tolerance is exceeded."""
    began = time.monotonic()
    options = read_options(Options, None, command="bench_gpu.py", description=__doc__)
    chosen = options.only.split(",")
    if not options.only.strip():
        raise UsageError(f"--only names no section. Give some of {', '.join(SECTIONS)}, or leave it out for all.")
    for section in chosen:
        if section not in SECTIONS:
            raise UsageError(f"There is no section {section!r}. {did_you_mean(section, SECTIONS)}")
    if options.encoder is not None and not Path(options.encoder).is_dir():
        raise UsageError(f"--encoder {options.encoder} is no folder. Give that of a text encoder, with its tokenizer.")
    output = Path(options.output)
    check_place(output)
    with tempfile.TemporaryDirectory() as folder:
        # Set before the libraries that read them are imported: nothing is fetched, and nothing is left behind.
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["HF_DATASETS_CACHE"] = str(Path(folder) / "datasets")
        return _measure(options, chosen, output, Path(folder), began)


def _measure(options: Options, chosen: list[str], output: Path, folder: Path, began: float) -> int:
    import torch

    from iemomecp_dataset.benchmark.speed.gpu.parts import run_parts
    from iemomecp_dataset.benchmark.speed.gpu.record import record_of, table_lines
    from iemomecp_dataset.benchmark.speed.gpu.workload import FULL, SMOKE, Workload

    if not options.smoke and not torch.cuda.is_available():
        build = "is a build for the CPU" if torch.version.cuda is None else "finds no GPU that it can use"
        raise UsageError(
            f"No GPU is at hand: torch {torch.__version__} {build}. Run this on a machine with one, or try the code on "
            "the CPU with --smoke."
        )
    # Torch reads its variable into this setting; cuBLAS reads the other one by itself.
    rounded = torch.get_float32_matmul_precision() != "highest"
    if rounded or os.environ.get("NVIDIA_TF32_OVERRIDE") == "1":
        raise UsageError(
            "Products of float32 are rounded to TF32, and rows that say fp32 would not be it. Unset "
            "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE and NVIDIA_TF32_OVERRIDE; the section precision measures TF32 by itself."
        )
    device = torch.device("cpu" if options.smoke else "cuda")
    work = Workload(device, SMOKE if options.smoke else FULL, folder, options.encoder)
    parts = [part for section in chosen for part in SECTIONS[section](work)]
    finished = run_parts(
        parts,
        minutes=options.minutes,
        spent=time.monotonic() - began,
        began=lambda part: print(f"{part.section}: {part.name} …", flush=True),
    )
    record = record_of(
        finished,
        device,
        smoke=options.smoke,
        sections=chosen,
        encoder=options.encoder,
        minutes=options.minutes,
        seconds=round(time.monotonic() - began, 1),
    )
    facts = record["device"]
    print(f"\n{facts['name']}, torch {torch.__version__}, driver {facts.get('driver')}, synthetic data, random weights")
    if options.smoke:
        print("Smoke mode: tiny sizes on the CPU. It shows that the code runs; its numbers mean nothing.")
    for done in finished:
        for line in table_lines(done):
            print(line)
    write_json(output, record)
    print(f"{len(record['measurements'])} measurements, {len(record['not_run'])} parts not run to their end: {output}")
    beyond = [row for done in finished for row in done.rows if row.beyond_tolerance]
    for row in beyond:
        print(f"BEYOND ITS TOLERANCE: {row.what}: {row.value:.2g}, tolerance {row.against_value:g}")
    if not record["measurements"]:
        print("Nothing was measured. Give more --minutes, or see above why the parts failed.")
    return int(bool(beyond) or not record["measurements"])


if __name__ == "__main__":
    run_command(main)
