"""Runs the command ``synthetic``, as ``iemomecp synthetic`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("synthetic")
