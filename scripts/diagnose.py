"""Runs the command ``diagnose``, as ``iemomecp diagnose`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("diagnose")
