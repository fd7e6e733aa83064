r"""Makes a feature store from the media or texts of a corpus; run again, it continues where it was stopped.

    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio
    python scripts/extract_features.py --data-dir local_data --modality video --output-dir features/video
    python scripts/extract_features.py --data-dir local_data --modality text --output-dir features/text
    python scripts/extract_features.py --data-dir MELD --config-name meld --modality frames --output-dir features/frames
    accelerate launch scripts/extract_features.py ...          # several GPUs of this machine share the work
    python scripts/extract_features.py ... --slots 4           # or 4 jobs on its CPU
    python scripts/extract_features.py ... --backend slurm --shards 8 --slurm partition=gpu gpus_per_node=1 minutes=60
    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio \
        --import-from cache/audio_features_train.pt            # vectors that others computed

Then: accelerate launch trainers/fusion.py --modalities tav --audio_features features/audio \
    --video_features features/video
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from iemomecp_dataset.command_line import OptionParser, option
from iemomecp_dataset.command_process import end_by_signals
from iemomecp_dataset.errors import UsageError


@dataclass(frozen=True)
class _ImportOptions:
    """Vectors that others computed."""

    _group = "vectors that others computed"

    import_from: tuple[str, ...] = option(
        (),
        "take vectors from files in place of computing them: the artifact's .pt caches, the ECF authors' .npy (with "
        "--ecf_order), ConvECPE's pickle, or a pickle of the ECERC authors (MELD, IEMOCAP)",
        metavar="FILE",
    )
    variant: int = option(
        1, "pickles of the ECERC authors: which of the four text or event vectors", minimum=1, maximum=4
    )
    ecf_order: str | None = option(
        None, "all_data_pair.txt of the ECF authors, whose order their .npy rows follow", metavar="FILE"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Extracts, imports or plans, and prints what was done."""
    from iemomecp_dataset.features.extraction_job_options import ExtractionJobOptions
    from iemomecp_dataset.features.extraction_options import ExtractionOptions

    parser = OptionParser(
        ExtractionOptions,
        ExtractionJobOptions,
        _ImportOptions,
        command="extract",
        usage="%(prog)s --data_dir DATA_DIR --modality {audio,video,text,event,frames} --output_dir OUTPUT_DIR "
        "[options]",
        description=__doc__,
    )
    values = parser.parse(sys.argv[1:] if arguments is None else arguments)
    files, order = values.pop("import_from", ()), values.pop("ecf_order", None)
    variant = values.pop("variant", 1)
    of_jobs = {field.name for field in fields(ExtractionJobOptions)}
    where = ExtractionJobOptions(**{name: value for name, value in values.items() if name in of_jobs})
    options = ExtractionOptions(**{name: value for name, value in values.items() if name not in of_jobs})
    if files:
        if where.asked_for:
            raise UsageError(
                "--import_from reads files in this process: leave out --backend, --shards and what else is about jobs."
            )
        from iemomecp_dataset.features.importers.importing import import_features

        _print_result(import_features(options, files, ecf_order=order, variant=variant))
    elif options.dry_run:
        _print_plan(options, where)
    elif where.asked_for:
        return _extract_in_jobs(options, where)
    else:
        from iemomecp_dataset.features.extraction import extract

        _print_result(extract(options))
    return 0


def _extract_in_jobs(options: Any, where: Any) -> int:
    from iemomecp_dataset.features.extraction_jobs import extract_in_jobs

    end_by_signals()
    shared = extract_in_jobs(options, where)
    for failure in shared.failures:
        print(failure, file=sys.stderr)
    if shared.result is not None:
        _print_result(shared.result)
        return 0
    for name, status in shared.jobs.items():
        if not status.over:
            print(f"{name}: {', '.join(filter(None, [status.state, status.words]))}")
    waits = not all(status.over for status in shared.jobs.values())
    print(
        f"{options.output_dir}: {shared.left} shard files are left. "
        + ("The jobs go on; the same command shows them." if waits else "Start the same command again: it continues."),
        file=sys.stdout if waits else sys.stderr,
    )
    return 0 if waits and not shared.failures else 1


def _print_plan(options: Any, where: Any) -> None:
    from iemomecp_dataset.features.extraction import plan
    from iemomecp_dataset.features.extraction_plan import utterance_costs

    planned = plan(options)
    shards = planned.plan.shards
    print(f"corpus      {planned.corpus.corpus}{', SYNTHETIC' if planned.corpus.synthetic else ''}")
    print(f"model       {options.model_name} (not loaded)")
    print(f"utterances  {len(planned.corpus.items)}, {planned.seconds / 3600:.2f} hours by the corpus's times")
    if options.needs_media:
        print(f"no media    {planned.without_media}")
    print(
        f"batches     {sum(map(len, shards))} in {len(shards)} shards, of which {len(planned.left)} are to be computed"
    )
    costs = utterance_costs(planned.corpus.items, options)
    of_shards = [sum(costs[key] for batch in shard for key in batch) for shard in shards]
    what = "seconds of media by the corpus" if options.needs_media else "characters"
    utterances = [sum(map(len, shard)) for shard in shards]
    print(
        f"a shard     {min(utterances, default=0)} to {max(utterances, default=0)} utterances, "
        f"{min(of_shards, default=0):.0f} to {max(of_shards, default=0):.0f} {what}"
    )
    if where.asked_for:
        from iemomecp_dataset.features.extraction_jobs import preview_of_jobs

        print(f"\n{preview_of_jobs(options, where, planned) or 'no job: all shards are written'}\n")
    print("dry run: nothing was written")


def _print_result(result: Any) -> None:
    if not result.complete:
        print(
            f"{result.folder}: this process is done ({result.computed} utterances); {result.left} shards are left.\n"
            "The process that writes the last one completes the store. If none is at work, run the same command again."
        )
        return
    total = sum(result.statuses.values())
    print(f"{result.folder}: {result.card.statement}; {result.computed} computed now, {total} in all")
    print(f"  {'status':<16}{'utterances':>11}{'share':>9}  for example")
    for status, count in sorted(result.statuses.items(), key=lambda entry: (entry[0] != "ok", -entry[1], entry[0])):
        example = "; ".join(f"{key}: {reason}" for key, reason in result.examples.get(status, [])[:1])
        print(f"  {status:<16}{count:>11}{count / total:>9.1%}  {example}".rstrip())
