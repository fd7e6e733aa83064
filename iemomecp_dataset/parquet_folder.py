"""A folder of Parquet files with a dataset card: plain ``load_dataset(folder)`` reads it, without this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.dataset_card import parquet_card
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.text_files import write_text

__all__ = ["write_parquet_folder"]


def write_parquet_folder(configs: Mapping[str, Any], folder: Path, *, synthetic: bool) -> list[Path]:
    """Writes the splits of several configurations.

    Args:
        configs: A :class:`datasets.DatasetDict` by configuration; the first is the default.
        folder: The folder; made where there is none.
        synthetic: Whether the card says that the data is synthetic.

    Returns:
        The files.

    Raises:
        UsageError: The folder cannot be written to, or holds Parquet files of something else.
    """
    data = folder / "data"
    written = []
    try:
        _clear(data)
        for name, splits in configs.items():
            for split, rows in splits.items():
                path = data / name / f"{split}-00000-of-00001.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                rows.to_parquet(path)
                written.append(path)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error}). Choose another folder.") from None
    card = folder / "README.md"
    write_text(card, parquet_card(configs, synthetic=synthetic))
    return [*written, card]


def _clear(data: Path) -> None:
    """Removes the Parquet files of an earlier build, which a card of this one would read along; nothing else."""
    earlier = [path for path in data.rglob("*") if not path.is_dir()]
    for path in earlier:
        if path.suffix != ".parquet":
            raise UsageError(f"{path}: was not made here; choose an empty or new folder.")
    for path in earlier:
        path.unlink()
