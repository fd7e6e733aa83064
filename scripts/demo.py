"""Runs the command ``demo``, as ``iemomecp demo`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("demo")
