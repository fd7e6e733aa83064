"""Runs the command ``export``, as ``iemomecp export`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("export")
