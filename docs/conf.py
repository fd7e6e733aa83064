"""Sphinx configuration: ``make docs`` builds the site from this folder into ``.build/docs/html``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent
WORK = REPOSITORY / ".build" / "docs"
"""What a build keeps for the next one: executed notebooks, and the runs that the gallery is drawn from."""

sys.path.insert(0, str(FOLDER / "extensions"))
# Nothing is fetched while the site is built, and a page holds no progress bars.
os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
os.environ.setdefault("OMP_NUM_THREADS", "1")

from iemomecp_dataset import __version__  # noqa: E402 - the environment is set before anything is imported

project = "iemomecp"
author = "The iemomecp authors"
project_copyright = "The iemomecp authors, MIT licence"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    # Our own, in docs/extensions.
    "checked_pages",
    "command_help",
    "corpus_facts",
    "formulas",
    "gallery",
    "notebook_cells",
    "public_names",
    "record_lists",
]
exclude_patterns = ["extensions", "Thumbs.db", ".DS_Store", "**/.ipynb_checkpoints"]
nitpicky = True
highlight_language = "text"  # commands, layouts of folders; Python is marked as such
needs_sphinx = "8.2"

# Markdown. Anchors of headings down to the fourth level, as links between pages name them.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

# Notebooks are stored without outputs, executed once and kept until their code changes.
nb_execution_mode = "cache"
nb_execution_cache_path = str(WORK / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True  # what a notebook writes does not stay
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False
napoleon_use_ivar = True

gallery_work = str(WORK / "gallery")

html_theme = "furo"
html_math_renderer = "mathml"  # of our extension "formulas"
html_title = f"iemomecp {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "friendly"
pygments_dark_style = "monokai"
