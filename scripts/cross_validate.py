"""Runs the command ``cross-validate``, as ``iemomecp cross-validate`` does."""

import active_environment  # noqa: F401

from iemomecp_dataset.commands import run

if __name__ == "__main__":
    run("cross-validate")
