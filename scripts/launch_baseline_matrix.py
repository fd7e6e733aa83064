"""Runs the command ``matrix``, as ``iemomecp matrix`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("matrix")
