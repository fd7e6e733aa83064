"""Files and folders: read strictly, written as a whole, and held by one process."""

from iemomecp_dataset.files.places import (
    FULL,
    blamed_place,
    check_place,
    error_of_place,
    make_folder,
    not_written,
    place_of_write,
    writing_to,
)
from iemomecp_dataset.files.reading import (
    check_file,
    check_lines,
    file_digest,
    parse_json,
    read_bytes,
    read_json,
    read_lines,
    read_text,
    stream_lines,
)
from iemomecp_dataset.files.writing import (
    atomic_write,
    holds_file,
    put_in_place,
    write_bytes,
    write_json,
    write_text,
)

__all__ = [
    "FULL",
    "atomic_write",
    "blamed_place",
    "check_file",
    "check_lines",
    "check_place",
    "error_of_place",
    "file_digest",
    "holds_file",
    "make_folder",
    "not_written",
    "parse_json",
    "place_of_write",
    "put_in_place",
    "read_bytes",
    "read_json",
    "read_lines",
    "read_text",
    "stream_lines",
    "write_bytes",
    "write_json",
    "write_text",
    "writing_to",
]
