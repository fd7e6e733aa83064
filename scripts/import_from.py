"""Runs the command ``import-from``, as ``iemomecp import-from`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("import-from")
