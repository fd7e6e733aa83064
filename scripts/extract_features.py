"""Runs the command ``extract``, as ``iemomecp extract`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("extract")
