"""Configuration of the documentation site: ``make site`` writes it to ``build/site/``.

The pages are Markdown (MyST). ``site_sources.py`` next to this file adds the sources that are not in this folder,
such as the notebooks, and replaces links to files of the repository.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import site_sources

import textlrp

project = "textlrp"
author = "the textlrp authors"
version = release = textlrp.__version__
project_copyright = author

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_*"]
templates_path = ["_templates"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

# Markdown
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

# Notebooks have their outputs; pages with code cells are executed, see their front matter.
nb_execution_mode = "off"
nb_execution_timeout = 600  # the first cell of a page compiles loops
nb_execution_raise_on_error = True
nb_execution_show_tb = True

# API reference
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# Pages
html_theme = "furo"
html_title = f"textlrp {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "footer_icons": [{"name": "Repository", "url": site_sources.REPOSITORY, "html": "Repository", "class": ""}]
}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_prompt_text = "$ "


def setup(app: object) -> None:
    site_sources.setup(app)
