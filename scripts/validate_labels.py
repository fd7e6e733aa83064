"""Runs the command ``validate``, as ``iemomecp validate`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("validate")
