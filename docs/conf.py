"""How the site is built: ``sphinx-build -W --keep-going -b html docs build/docs``.

Nothing is fetched while it is built, and a page needs nothing of the network when it is read: no intersphinx, formulas
as MathML, fonts and scripts of the theme beside the pages.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import curvdetect

torch.set_num_threads(1)  # the gallery's nets are small: two threads only wait for each other

HERE = Path(__file__).parent
sys.path.append(str(HERE / "extensions"))

project = "curvdetect"
author = copyright = "The curvdetect developers"
version = release = curvdetect.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "public_names",
    "repository_files",
]
exclude_patterns = ["examples"]

# Pages
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# API
autosummary_generate = False  # public_names writes a page for each name
autodoc_typehints = "none"  # numpydoc has the types
autodoc_preserve_defaults = True
default_role = "py:obj"
numpydoc_show_class_members = False  # public_names lists them, without what scikit-learn adds
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(cleanlab|matplotlib|sklearn|torch)\..*")]  # their inventories are on the network

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("curvdetect",),
    "capture_repr": ("_repr_html_",),  # tables; what else a call returns has an address in it
    "download_all_examples": False,
    "show_memory": False,
}

# Looks
html_theme = "pydata_sphinx_theme"
html_title = "curvdetect"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader has it
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    "show_prev_next": True,
}
