"""Models, objectives and the training loop.

``predict(run_folder, rows)`` is for those who only want to use what was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.inference import load_scorer, predict
    from iemomecp_dataset.trainers.run import train

__all__ = ["load_scorer", "predict", "train"]


def __getattr__(name: str) -> Any:
    # torch comes in only when a scorer is used: a script's --help must be quick.
    if name in __all__:
        try:
            from iemomecp_dataset.trainers import inference, run
        except ImportError as error:
            from iemomecp_dataset.errors import missing_extra

            raise missing_extra(error.name or "torch", "train") from error
        return getattr(run if name == "train" else inference, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
