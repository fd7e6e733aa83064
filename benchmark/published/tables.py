"""Reads the published tables; ``ORIGIN.md`` beside them states their origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.schema import ROLE_LABELS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EMOTION_SYSTEMS",
    "PUBLISHED_FOLDER",
    "published_confusions",
    "published_emotion_systems",
    "published_systems",
    "published_table",
    "published_table_names",
]

PUBLISHED_FOLDER = Path(__file__).parent
"""Folder of the tables."""

_SYSTEMS = "systems"

EMOTION_SYSTEMS = "emotion_systems"
"""Name of the table of emotion recognition."""


def published_table_names() -> list[str]:
    """Lists the names of the tables of arXiv 2605.25208.

    Returns:
        The names, sorted.

    Example:
        >>> len(published_table_names())
        33
    """
    return sorted(path.stem for path in PUBLISHED_FOLDER.glob("*.csv") if path.stem not in (_SYSTEMS, EMOTION_SYSTEMS))


def published_table(name: str) -> pd.DataFrame:
    """Reads one table of arXiv 2605.25208, unchanged.

    Args:
        name: Its name, without ``.csv``.

    Returns:
        The table.

    Raises:
        UsageError: There is no such table.

    Example:
        >>> int(published_table("dataset_label_distribution_wide").set_index("split").loc["test", "emo_cause"])
        1794
    """
    import pandas as pd

    if name not in published_table_names():
        raise UsageError(f"There is no published table {name!r}. {did_you_mean(name, published_table_names())}")
    return pd.read_csv(PUBLISHED_FOLDER / f"{name}.csv")


def published_confusions() -> dict[str, NDArray[np.int64]]:
    """Reads the confusion matrices of the 54 published three-role runs on the test split.

    Returns:
        ``(3, 3)`` counts by run name; rows gold, columns predicted, in the order of the three roles.

    Example:
        >>> published_confusions()["RoBERTa_seed42"].sum()
        np.int64(18264)
    """
    table = published_table("pair_role_confusion_by_run_long")
    roles = list(ROLE_LABELS)
    return {
        str(run): rows.pivot(index="gold", columns="pred", values="count").loc[roles, roles].to_numpy(dtype=np.int64)
        for run, rows in table.groupby("run_name", sort=False)
    }


def published_systems(corpus: str | None = None) -> pd.DataFrame:
    """Reads the Pair F1 of systems from other papers, in percent.

    Args:
        corpus: Only systems on this corpus; default all.

    Returns:
        Columns ``corpus, split, system, modalities, pair_f1, definition, emotions, origin, candidates, source,
        caveats``; ``ORIGIN.md`` describes them. All but ``pair_f1`` are texts.

    Example:
        >>> mec4 = published_systems("mec4")
        >>> dict(zip(mec4["system"].str.removeprefix("BridgeProt, Qwen3.5-9B, "), mec4["pair_f1"]))
        {'zero shots': 14.54, '3 shots': 18.78, 'LoRA': 40.05, 'SFT': 42.65}
    """
    import pandas as pd

    table = pd.read_csv(PUBLISHED_FOLDER / f"{_SYSTEMS}.csv", keep_default_na=False)
    return table if corpus is None else table[table["corpus"] == corpus].reset_index(drop=True)


def published_emotion_systems(corpus: str | None = None) -> pd.DataFrame:
    """Reads the scores of systems that recognise emotions, on the test split, in percent.

    Args:
        corpus: Only systems on this corpus; default all.

    Returns:
        Columns ``corpus, system, variant, modalities, weighted_f1, accuracy, macro_f1, <class>_f1…, origin, source,
        caveats``; ``ORIGIN.md`` describes them. A score that is not known is NaN; what is no score is text.

    Example:
        >>> meld = published_emotion_systems("meld")
        >>> meld[(meld["system"] == "ECERC") & (meld["modalities"] == "t")]["weighted_f1"].tolist()
        [65.25]
    """
    import pandas as pd

    table = pd.read_csv(PUBLISHED_FOLDER / f"{EMOTION_SYSTEMS}.csv", keep_default_na=False)
    scores = [name for name in table if name.endswith("_f1") or name == "accuracy"]
    table[scores] = table[scores].apply(pd.to_numeric)
    return table if corpus is None else table[table["corpus"] == corpus].reset_index(drop=True)
