r"""Makes a feature store from the media or texts of a corpus; run again, it continues where it was stopped.

    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio
    python scripts/extract_features.py --data-dir local_data --modality video --output-dir features/video
    python scripts/extract_features.py --data-dir local_data --modality text --output-dir features/text
    python scripts/extract_features.py --data-dir MELD --config-name meld --modality frames --output-dir features/frames
    accelerate launch scripts/extract_features.py ...          # several GPUs or machines share the work
    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio \
        --import-from cache/audio_features_train.pt            # vectors that others computed

Then: accelerate launch trainers/fusion.py --modalities tav --audio_features features/audio \
    --video_features features/video
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.command_line import OptionParser, option


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Extracts, imports or plans, and prints what was done."""
    from iemomecp_dataset.features.extraction_options import ExtractionOptions

    parser = OptionParser(
        ExtractionOptions,
        _ImportOptions,
        command="extract",
        usage="%(prog)s --data_dir DATA_DIR --modality {audio,video,text,event,frames} --output_dir OUTPUT_DIR "
        "[options]",
        description=__doc__,
    )
    values = parser.parse(sys.argv[1:] if arguments is None else arguments)
    files, order = values.pop("import_from", ()), values.pop("ecf_order", None)
    variant = values.pop("variant", 1)
    options = ExtractionOptions(**values)
    if files:
        from iemomecp_dataset.features.importers.importing import import_features

        _print_result(import_features(options, files, ecf_order=order, variant=variant))
    elif options.dry_run:
        _print_plan(options)
    else:
        from iemomecp_dataset.features.extraction import extract

        _print_result(extract(options))


def _print_plan(options: Any) -> None:
    from iemomecp_dataset.features.extraction import plan

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
