"""Runs the command ``matrix``, as ``iemomecp matrix`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("matrix")
