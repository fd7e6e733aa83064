"""Opens a Parquet, CSV or TSV file of predictions and finds its columns and rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, did_you_mean, nearest_path
from iemomecp_dataset.files.bounds import MOST_COLUMNS
from iemomecp_dataset.files.csv_cells import original_text
from iemomecp_dataset.metrics.evaluation.prediction_columns import shown_columns
from iemomecp_dataset.metrics.evaluation.prediction_facts import facts_of_json
from iemomecp_dataset.schema import canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["METADATA_KEY", "columns_of", "only_one", "open_table", "stated_columns"]

METADATA_KEY = b"iemomecp"
"""Key of the metadata in the schema of a Parquet file."""

_ALIASES = {
    "dialogue_id": ("dialogue_id",),
    "target_turn": ("target_turn", "target_emotion_turn", "emotion_turn"),
    "cause_turn": ("cause_turn", "candidate_turn", "candidate_cause_turn"),
    "label": ("label", "gold_id"),
    "prediction": ("pred_id", "prediction"),
}
_TEXT = ("dialogue_id", "source_dialogue_id", "run_name", "split", "emotion")

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMED_DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma"}

_Facts = TypeVar("_Facts")


def stated_columns(path: Path) -> list[str]:
    """Names the columns of a file without reading its rows.

    Args:
        path: A Parquet, CSV or TSV file, its suffix in whatever case.

    Returns:
        The names; none where it is another file, or cannot be read, which :func:`open_table` puts into words.
    """
    suffix = path.suffix.lower()
    try:
        if not path.is_file():  # a pipe would wait
            return []
        if suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                return list(pq.read_schema(path).names)
            except pa.ArrowException:
                return []
        if suffix in _DELIMITERS:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                return [name.strip() for name in next(csv.reader(stream, delimiter=_DELIMITERS[suffix]), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        pass
    return []


def open_table(path: Path, kind: type[_Facts], text: Sequence[str] = ()) -> tuple[pd.DataFrame, _Facts]:
    """Opens a file.

    Args:
        path: The file; ``.parquet``, ``.csv`` or ``.tsv``, in whatever case.
        kind: Class of its metadata.
        text: Further columns of a CSV or TSV file that hold texts, which may run over several lines.

    Returns:
        Its columns, and its metadata.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It cannot be read, is empty, is not UTF-8 or names a column twice.
        UsageError: It is of another format.
    """
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingDataError(
            f"{path} is not there, or is not a file.{nearest_path(path)} Give a .parquet, .csv, .tsv or .json file of "
            "predictions."
        )
    suffix = path.suffix.lower()
    if suffix != ".parquet" and suffix not in _DELIMITERS:
        raise UsageError(
            f"{path}: predictions are read from .parquet, .csv, .tsv and .json files; this ends in {path.suffix!r}."
        )
    _check_delimiter(path)
    what = "Parquet" if suffix == ".parquet" else suffix[1:].upper()
    try:
        if what == "Parquet":
            arrow = pq.read_table(path)
            stated = arrow.schema.metadata or {}
            # What pandas wrote for itself is not needed, and fails where it is damaged.
            arrow = arrow.replace_schema_metadata({key: stated[key] for key in stated if key != b"pandas"})
        else:
            # Ids that look like numbers must stay text. Arrow keeps every digit of the scores.
            as_text = dict.fromkeys((*_TEXT, *text), pa.string())
            arrow = arrow_csv.read_csv(
                path,
                parse_options=arrow_csv.ParseOptions(delimiter=_DELIMITERS[suffix], newlines_in_values=bool(text)),
                convert_options=arrow_csv.ConvertOptions(column_types=as_text),
            )
        arrow.validate(full=True)
        names = list(arrow.column_names)
        # The CSV reader takes text that is not UTF-8 for bytes, which no comparison with text would find.
        unreadable = [name for name, kind in zip(names, arrow.schema.types, strict=True) if pa.types.is_binary(kind)]
        table = arrow.to_pandas()
        if suffix in _DELIMITERS:
            for name in {*_TEXT, *text}.intersection(names):
                table[name] = table[name].map(original_text, na_action="ignore")
    except (pa.ArrowException, UnicodeDecodeError, OSError, ValueError) as error:
        raise InvalidDataError(f"{path} cannot be read as {what}: {str(error)[:300]}.") from None
    if unreadable:
        raise InvalidDataError(f"{path}: the column {unreadable[0][:80]} is not UTF-8 text.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidDataError(f"{path}: the column {twice[0][:80]} occurs twice; which of the two counts is unknown.")
    if not len(table):
        raise InvalidDataError(f"{path} holds no rows.")
    stored = (arrow.schema.metadata or {}).get(METADATA_KEY)
    try:
        return table, facts_of_json(kind, stored) if stored else kind()
    except (ValueError, RecursionError) as error:
        raise InvalidDataError(f"{path}: its metadata under 'iemomecp' is not valid JSON: {error}.") from None


def _check_delimiter(path: Path) -> None:
    """Refuses a CSV or TSV file whose header is separated by something else than its ending says, and many columns.

    Raises:
        InvalidDataError: It is.
    """
    suffix, header = path.suffix.lower(), stated_columns(path)
    if len(header) > MOST_COLUMNS:
        raise InvalidDataError(
            f"{path} has {len(header):,} columns, more than the {MOST_COLUMNS:,} that a file of predictions may have."
        )
    if suffix not in _DELIMITERS or len(header) != 1:
        return
    for delimiter, name in _NAMED_DELIMITERS.items():
        if delimiter not in header[0] or delimiter == _DELIMITERS[suffix]:
            continue
        ending = next((one for one, usual in _DELIMITERS.items() if usual == delimiter), None)
        remedy = f"name it {ending}" if ending else "write it with commas (.csv) or tabs (.tsv)"
        raise InvalidDataError(f"{path} is {name} separated: {remedy}.")


def columns_of(path: Path, table: pd.DataFrame) -> dict[str, str]:
    """Finds the columns under their accepted names.

    Args:
        path: The file, for errors.
        table: Its columns.

    Returns:
        Name in the file by our name; ``label`` and ``prediction`` may be missing.

    Raises:
        InvalidDataError: A column that names the pairs is missing.
    """
    names = {wanted: next((name for name in found if name in table), None) for wanted, found in _ALIASES.items()}
    missing = [wanted for wanted in ("dialogue_id", "target_turn", "cause_turn") if names[wanted] is None]
    if missing:
        raise InvalidDataError(
            f"{path}: no column for {', '.join(missing)} (looked for "
            f"{'; '.join(', '.join(_ALIASES[wanted]) for wanted in missing)}). It has {shown_columns(table)}."
        )
    return {wanted: name for wanted, name in names.items() if name is not None}


def only_one(path: Path, table: pd.DataFrame, column: str, wanted: str | None) -> pd.DataFrame:
    """Takes the rows of one split, or of one run.

    Args:
        path: The file, for errors.
        table: Its columns.
        column: ``split`` or ``run_name``; a table without it is taken whole.
        wanted: The value to take; ``None``: the only one.

    Returns:
        Those rows.

    Raises:
        UsageError: There are several values and none was chosen, or not the one that was.
    """
    if column not in table:
        return table
    values = sorted(table[column].astype(str).unique())
    option = f"--{column.replace('_', '-')}"
    if wanted is None:
        if len(values) > 1:
            shown = ", ".join(value[:40] for value in values[:6]) + (", …" if len(values) > 6 else "")
            raise UsageError(f"{path} holds {len(values)} values of {column} ({shown}); choose one with {option}.")
        return table
    chosen = table[column].astype(str).map(canonical_split if column == "split" else str) == wanted
    if not chosen.any():
        raise UsageError(f"{path} holds no {column} {wanted!r}. {did_you_mean(wanted, values)}")
    return table[chosen].reset_index(drop=True)
