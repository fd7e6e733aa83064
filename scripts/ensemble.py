"""Runs the command ``ensemble``, as ``iemomecp ensemble`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("ensemble")
