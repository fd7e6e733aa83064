"""Published protocols as defaults: what options are worth when neither command line nor YAML gives them.

The defaults of :mod:`iemomecp_dataset.trainers.options` are those of the dialogue scorer. With ``--scorer isolated``
the protocol of the published isolated-pair baselines takes their place (arXiv 2605.25208); a script's own defaults, a
``--config`` file and the command line, in this order, win over it. ``config.yaml`` stores what came out.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ISOLATED_PROTOCOL", "protocol_defaults"]

ISOLATED_PROTOCOL: dict[str, Any] = {
    "encoder_mode": "trained",
    "segment_pooling": "pooler",
    "max_tokens": 160,
    "dropout": 0.1,
    "class_weighting": "sqrt",
    "epochs": 10,
    "patience": 0,
    "selection": "macro_f1",
    "decision": "argmax",
    "batch_size": 16,
    "eval_batch_size": 64,
    "learning_rate": 2e-5,
    "encoder_learning_rate": 2e-5,
    "weight_decay": 0.01,
    "decay_everything": True,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
    "weight_averaging": 0.0,
    "mixed_precision": "no",
}
"""The published protocol but for ``hidden_size``, which depends on the modalities. Seeds were 42, 123 and 456."""


def protocol_defaults(scorer: str, modalities: str) -> dict[str, Any]:
    """Defaults that a scorer's protocol puts in place of the general ones.

    Args:
        scorer: ``dialogue`` or ``isolated``.
        modalities: Some of the letters t, a, v.

    Returns:
        Options by name; nothing for the dialogue scorer.

    Example:
        >>> protocol_defaults("isolated", "ta")["hidden_size"], protocol_defaults("isolated", "a")["hidden_size"]
        (768, 256)
        >>> protocol_defaults("dialogue", "t")
        {}
    """
    if scorer != "isolated":
        return {}
    return {**ISOLATED_PROTOCOL, "hidden_size": 768 if "t" in modalities else 256}
