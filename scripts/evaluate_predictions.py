"""Runs the command ``evaluate``, as ``iemomecp evaluate`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("evaluate")
