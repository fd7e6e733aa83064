"""Runs the command ``import-from``, as ``iemomecp import-from`` does."""

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("import-from")
