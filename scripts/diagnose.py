"""Runs the command ``diagnose``, as ``iemomecp diagnose`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("diagnose")
