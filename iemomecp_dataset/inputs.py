"""From options to files to rows: which reader serves which configuration."""

from __future__ import annotations

from iemomecp_dataset.corpora.loading import find_corpus, load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.loaded import Inputs, Loaded
from iemomecp_dataset.options import CORPUS_CONFIGS, LoadOptions

__all__ = ["find_inputs", "load_inputs"]


def find_inputs(options: LoadOptions) -> Inputs:
    """Finds the files of a configuration.

    Args:
        options: What to load.

    Returns:
        The files, not yet read.

    Raises:
        MissingDataError: A part is missing; the message says which, where it was looked for, and where to get it.
    """
    if options.config_name in CORPUS_CONFIGS and options.data_dir is not None:
        return find_corpus(options.config_name, options.data_dir)
    raise UsageError("not there yet")


def load_inputs(options: LoadOptions, inputs: Inputs) -> Loaded:
    """Reads and validates the files of a configuration.

    Args:
        options: What to load.
        inputs: What :func:`find_inputs` found.

    Returns:
        The rows by split.

    Raises:
        IemomecpError: A file breaks its format, or the files disagree.
    """
    if options.config_name in CORPUS_CONFIGS:
        return load_corpus(options.config_name, inputs, options.candidates)
    raise UsageError("not there yet")
