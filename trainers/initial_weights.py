"""Beginning a run with the weights of another one."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from iemomecp_dataset.errors import UsageError

__all__ = ["load_initial_weights"]


def load_initial_weights(model: nn.Module, folder: str | Path) -> None:
    """Gives a scorer the weights of a finished run of the same shape.

    A run with a frozen encoder has no encoder in its weights; the scorer then keeps the pretrained one. To train the
    head first and the encoder with it afterwards distorts the encoder less than to train both from a random head
    (Kumar et al. 2022, arXiv 2202.10054).

    Args:
        model: The scorer, with its text encoder if it trains one.
        folder: A run folder, or a folder that ``save_pretrained`` wrote.

    Raises:
        UsageError: There are no weights, or they are of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = [path for path in (Path(folder) / "model", Path(folder)) if (path / "model.safetensors").is_file()]
    if not found:
        raise UsageError(
            f"--init_from: {folder} holds no weights (looked for model/model.safetensors and model.safetensors). Give "
            "the folder of a finished run."
        )
    path = found[0] / "model.safetensors"
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UsageError(f"--init_from: {path} cannot be read: {error}.") from error
    own = model.state_dict()
    encoder = {name for name in own if name.startswith("text_encoder.")}
    missing = sorted(own.keys() - weights.keys() - (encoder if not encoder & weights.keys() else set()))
    unknown = sorted(weights.keys() - own.keys())
    reshaped = sorted(name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape)
    for names, what in (
        (missing, "lacks"),
        (unknown, "has besides"),
        (reshaped, "has in another shape"),
    ):
        if names:
            raise UsageError(
                f"--init_from: the model in {found[0]} is of another shape than this run's: it {what} {names[0]}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else "")
                + ". Give both runs the same modalities, classes and model options."
            )
    model.load_state_dict(weights, strict=False)
