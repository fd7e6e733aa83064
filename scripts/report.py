"""Runs the command ``report``, as ``iemomecp report`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("report")
