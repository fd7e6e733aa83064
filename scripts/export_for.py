"""Runs the command ``export-for``, as ``iemomecp export-for`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("export-for")
