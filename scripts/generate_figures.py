"""Runs the command ``figures``, as ``iemomecp figures`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("figures")
