r"""Makes a table of the faces in clips, from the files of a face tool, or with a detector of yours and DDAMFN.

    python scripts/make_faces.py --import_from py-feat faces/*.csv --data_dir MELD --config_name meld \
        --frames_per_second 23.976 --output_file faces.parquet
    python scripts/make_faces.py --detector my_detector:detect --ddamfn checkpoint.pth \
        --class_order neutral happy sad surprise fear disgust angry --data_dir MELD --config_name meld \
        --output_file faces.parquet --vectors_dir features/faces

my_detector.py has a function from an RGB image, an array (height, width, 3), to a list of Face (of
iemomecp_dataset.features.faces.detecting). Clips without a face and those that cannot be examined are counted.

A model of explanations takes the table with --faces_table faces.parquet, as a line of text, or the store with
--face_features features/faces, as vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iemomecp_dataset.command_line import flags_in_errors, read_options


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes what is asked for, and prints what was found."""
    from iemomecp_dataset.features.faces.face_options import FaceOptions

    options = read_options(
        FaceOptions,
        arguments,
        command="faces",
        description=__doc__,
        usage="%(prog)s --import_from TOOL FILE [FILE ...] --output_file FILE [options]\n"
        "       %(prog)s --detector MODULE:FUNCTION --ddamfn CHECKPOINT --class_order CLASS [CLASS ...] "
        "--data_dir DATA_DIR\n       (--output_file FILE | --vectors_dir FOLDER | both) [options]",
    )
    from iemomecp_dataset.features.faces.making import make_faces

    with flags_in_errors(FaceOptions):
        made = make_faces(options)
    _print_made(made)


def _print_made(made: Any) -> None:
    print(f"{' and '.join(map(str, made.places))}: {made.n_faces} faces in {made.n_tracks} tracks; {made.source}")
    total = sum(made.statuses.values())
    print(f"  {'status':<16}{'utterances':>11}{'share':>9}  for example")
    for status, count in made.statuses.items():
        example = "; ".join(f"{key}: {reason}" for key, reason in made.examples.get(status, [])[:1])
        print(f"  {status:<16}{count:>11}{count / total:>9.1%}  {example}".rstrip())
