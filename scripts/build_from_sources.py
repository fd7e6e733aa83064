"""Merges IEMOCAP, ConvECPE and the label overlay, checks them against each other, and writes the result.

    python scripts/build_from_sources.py --iemocap-root IEMOCAP --convecpe-root ECPEC --label-dir labels --output-dir O

Parquet (the default) comes with a dataset card: plain `load_dataset("O")` reads it without this package. JSON is the
full split JSON (`O/splits/*.json`), which `load_dataset("iemomecp", full_root="O", label_dir=...)` reads. Either holds
IEMOCAP's text and must not be passed on. A merge report goes to O/merge_report.json and, shortened, to the screen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> None:
    """Builds, writes, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-dir", type=Path, help="folder with IEMOCAP/, ECPEC/ and labels/, in place of the next three"
    )
    parser.add_argument("--iemocap-root", type=Path, help="the IEMOCAP release")
    parser.add_argument("--convecpe-root", type=Path, help="the ECPEC repository, or its pickle")
    parser.add_argument("--label-dir", type=Path, help="the folder of the label files")
    parser.add_argument("--output-dir", type=Path, required=True, help="where the result goes")
    parser.add_argument("--format", choices=("parquet", "json"), default="parquet", help="default: parquet")
    parser.add_argument("--text-source", choices=("iemocap", "ecpec"), default="iemocap", help="whose text (iemocap)")
    parser.add_argument("--forward-pairs", choices=("as_published", "gold"), default="as_published",
                        help="what source_binary calls forward source pairs (default: as_published)")  # fmt: skip
    parser.add_argument("--max-mismatch", type=float, default=0.01, help="accepted share of mismatches (default: 0.01)")
    parser.add_argument("--max-label-mismatch", type=float, default=0.0,
                        help="accepted share of turns on which labels and ConvECPE differ (default: 0)")  # fmt: skip
    arguments = parser.parse_args()

    from iemomecp_dataset.export import BuildOptions, build_from_sources

    result = build_from_sources(
        BuildOptions(
            output_dir=arguments.output_dir,
            file_format=arguments.format,
            data_dir=arguments.data_dir,
            iemocap_root=arguments.iemocap_root,
            convecpe_root=arguments.convecpe_root,
            label_dir=arguments.label_dir,
            text_source=arguments.text_source,
            forward_pairs=arguments.forward_pairs,
            max_mismatch=arguments.max_mismatch,
            max_label_mismatch=arguments.max_label_mismatch,
        )
    )
    print(result.report.to_text())
    for path in result.files:
        print(f"written: {path}")


if __name__ == "__main__":
    run_command(main)
