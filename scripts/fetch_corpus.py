"""Runs the command ``fetch``, as ``iemomecp fetch`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("fetch")
