r"""Makes a feature store from the media or texts of a corpus; run again, it continues where it was stopped.

    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio
    python scripts/extract_features.py --data-dir local_data --modality video --output-dir features/video
    python scripts/extract_features.py --data-dir local_data --modality text --output-dir features/text
    accelerate launch scripts/extract_features.py ...          # several GPUs or machines share the work
    python scripts/extract_features.py --data-dir local_data --modality audio --output-dir features/audio \
        --import-from cache/audio_features_train.pt            # vectors that others computed

Then: accelerate launch trainers/fusion.py --modalities tav --audio_features features/audio \
    --video_features features/video
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from iemomecp_dataset.command_line import run_command


def main() -> None:
    from iemomecp_dataset.features.extraction_options import ExtractionOptions

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in dataclasses.fields(ExtractionOptions):
        spelled = [f"--{option.name}", f"--{option.name.replace('_', '-')}"]
        shared = {"dest": option.name, "help": _help(option)}
        if option.default is False:
            parser.add_argument(*dict.fromkeys(spelled), action="store_true", **shared)
            continue
        parser.add_argument(
            *dict.fromkeys(spelled),
            type=_TYPES[str(option.type).removesuffix(" | None")],
            default=None if option.default is dataclasses.MISSING else option.default,
            required=option.default is dataclasses.MISSING,
            choices=option.metadata["choices"] or None,
            **shared,
        )
    parser.add_argument(
        "--import-from",
        "--import_from",
        nargs="+",
        metavar="FILE",
        help="take vectors from files instead of computing them: the artifact's .pt caches, the ECF authors' .npy "
        "(with --ecf-order), or ConvECPE's pickle",
    )
    parser.add_argument(
        "--ecf-order",
        "--ecf_order",
        metavar="FILE",
        help="all_data_pair.txt of the ECF authors, whose order their .npy rows follow",
    )
    arguments = vars(parser.parse_args())
    files, order = arguments.pop("import_from"), arguments.pop("ecf_order")
    options = ExtractionOptions(**arguments)
    if files:
        from iemomecp_dataset.features.importers.importing import import_features

        _print_result(import_features(options, files, ecf_order=order))
    elif options.dry_run:
        _print_plan(options)
    else:
        from iemomecp_dataset.features.extraction import extract

        _print_result(extract(options))


_TYPES = {"str": str, "int": int, "float": float}


def _help(option: dataclasses.Field[Any]) -> str:
    text = option.metadata["help"].replace("%", "%%")
    shown = option.default is not dataclasses.MISSING and option.default not in (None, False)
    return f"{text} (default: {option.default})" if shown else text


def _print_plan(options: Any) -> None:
    from iemomecp_dataset.features.extraction import plan

    planned = plan(options)
    shards = planned.plan.shards
    print(f"corpus      {planned.corpus.corpus}{', SYNTHETIC' if planned.corpus.synthetic else ''}")
    print(f"model       {options.model_name} (not loaded)")
    print(f"utterances  {len(planned.corpus.items)}, {planned.seconds / 3600:.2f} hours by the corpus's times")
    if options.modality != "text":
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


if __name__ == "__main__":
    run_command(main)
