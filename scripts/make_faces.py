"""Runs the command ``faces``, as ``iemomecp faces`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("faces")
