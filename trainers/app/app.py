"""Space with the page: ``MODEL`` names the model, a folder or a name on the Hub; ``MODEL_2`` one to compare it with."""

import os

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.app.interface import launch


def main() -> None:
    """Shows the page for the models that the environment names."""
    models = [model for name in ("MODEL", "MODEL_2") if (model := os.environ.get(name, "").strip())]
    if not models:
        raise UsageError("MODEL is not set: name a trained model, a folder or OWNER/NAME, in the Space's variables.")
    port = os.environ.get("GRADIO_SERVER_PORT")
    launch(
        models,
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(port) if port else None,
        open_browser=False,
    )


if __name__ == "__main__":
    run_command(main)
