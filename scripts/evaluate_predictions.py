"""Runs the command ``evaluate``, as ``iemomecp evaluate`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("evaluate")
