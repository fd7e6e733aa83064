"""``iemomecp_dataset.load``: the builder without the name, for those who want no registration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["load"]


def load(
    name: str | None = None,
    *,
    data_dir: str | Path | None = None,
    split: Any = None,
    streaming: bool = False,
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
    download_mode: Any = None,
    keep_in_memory: bool = False,
    **options: Any,
) -> Any:
    """Loads a configuration, as ``datasets.load_dataset("iemomecp", name, ...)`` does.

    Args:
        name: ``3class`` (default), ``source_binary``, ``overlay``, ``ecf``, ``mecad``, ``mec4`` or ``reccon``.
        data_dir: Folder of the sources.
        split: A split, a slice of one (``"train[:10%]"``), or None for all.
        streaming: Give rows without writing Arrow files.
        num_proc: Processes that write the Arrow files.
        cache_dir: Where they are written; the default is that of ``datasets``.
        download_mode: As in ``datasets``; ``"force_redownload"`` builds again.
        keep_in_memory: Copy the rows into memory.
        **options: Options of the configuration, see :class:`iemomecp_dataset.options.LoadOptions`.

    Returns:
        A :class:`datasets.Dataset` for one split, else a :class:`datasets.DatasetDict`; with ``streaming`` their
        iterable forms.

    Raises:
        IemomecpError: An unknown name or option, missing files, or files that break their format.
    """
    from iemomecp_dataset.builder import IemomecpBuilder
    from iemomecp_dataset.fingerprints import code_fingerprint
    from iemomecp_dataset.registration import DATASET_NAME

    builder = IemomecpBuilder(
        config_name=name,
        data_dir=None if data_dir is None else str(data_dir),
        cache_dir=None if cache_dir is None else str(cache_dir),
        dataset_name=DATASET_NAME,
        hash=code_fingerprint(),
        **options,
    )
    if streaming:
        return builder.as_streaming_dataset(split=split)
    builder.download_and_prepare(download_mode=download_mode, num_proc=num_proc)
    return builder.as_dataset(split=split, in_memory=keep_in_memory)
