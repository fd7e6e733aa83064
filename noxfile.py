"""Checks on every Python version that the package names; an interpreter that is not here is skipped, and said.

``nox`` runs all of them, ``nox -s tests-3.12`` one. A session has an environment of its own and runs a target of the
Makefile in it, which installs what it needs: how the package is installed and checked stands there alone.
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
LOWEST_PYTHON = PYTHONS[0]

nox.needs_version = ">=2025.5"
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"


def make(session: nox.Session, target: str, variable: str = "VENV") -> None:
    """Runs a target of the Makefile in the environment of the session."""
    folder = Path(session.virtualenv.location).resolve()
    session.run("make", target, f"{variable}={folder}", f"PYTHON={folder / 'bin' / 'python'}", external=True)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite, with the versions of constraints.txt."""
    make(session, "test")


@nox.session(python=LOWEST_PYTHON)
def tests_lowest(session: nox.Session) -> None:
    """Dataset, metric and trainer tests, with the versions of constraints-lowest.txt."""
    make(session, "test-lowest", "LOWEST")


@nox.session(python=LOWEST_PYTHON)
def lint(session: nox.Session) -> None:
    """Style, docstrings and import order."""
    make(session, "lint")


@nox.session(python=LOWEST_PYTHON)
def typecheck(session: nox.Session) -> None:
    """Types, strict, in every room."""
    make(session, "typecheck")


@nox.session(python=LOWEST_PYTHON)
def docs(session: nox.Session) -> None:
    """The documentation, warnings being errors."""
    make(session, "docs")


@nox.session(python=LOWEST_PYTHON)
def build(session: nox.Session) -> None:
    """Source archive and wheel, checked."""
    make(session, "dist")
