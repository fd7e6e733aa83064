"""Runs the command ``fetch``, as ``iemomecp fetch`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("fetch")
