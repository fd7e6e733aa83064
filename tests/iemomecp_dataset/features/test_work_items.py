"""The file of times: what is malformed is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_files import ecf_text, write

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.work_items import corpus_items

GOOD = "utterance_id,start,end\n7_1,1,2\n"


def items(folder: Path, content: bytes) -> object:
    (folder / "times.csv").write_bytes(content)
    return corpus_items(
        ExtractionOptions(
            data_dir=str(folder),
            modality="text",
            output_dir=str(folder / "store"),
            config_name="ecf",
            times=str(folder / "times.csv"),
        )
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.encode("utf-16"), "UTF-16"),
        (b"utterance_id,start,end\n\xff,1,2\n", "not UTF-8"),
        (GOOD.encode() + b"a,1\n", "line 3: expected start and end in seconds"),
        (GOOD.encode() + b"a,nan,2\n", "line 3: expected start"),
        (GOOD.encode() + b"7_1,1,2\n", "line 3: utterance 7_1 occurs more than once"),
        (GOOD.encode() + b"a" * 200_000 + b",1,2\n", "line 3: not readable CSV"),
        (b"id,from\n", "expected the columns utterance_id, start and end, found id, from"),
    ],
)
def test_a_malformed_file_of_times_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path / "train.txt", ecf_text())
    with pytest.raises(InvalidDataError, match=r"times\.csv") as caught:
        items(tmp_path, content)
    assert said in str(caught.value)
