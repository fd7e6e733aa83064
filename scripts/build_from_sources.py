"""Runs the command ``build``, as ``iemomecp build`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("build")
