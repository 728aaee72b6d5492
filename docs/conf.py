"""How Sphinx builds these pages: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

import re
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "orq-core"
author = "The orq-core authors"
copyright = "2026, The orq-core authors"
release = version = installed("orq-core")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "examples"]
nitpicky = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "furo"
pygments_dark_style = "github-dark"  # the theme's own underlines the modules of imports
html_title = "orq-core"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = html_favicon = "_static/logo.svg"

_PARTS = re.compile(r"(?<=[^\W_][._=(,/-])(?=\w)|(?<=[a-z])(?=[A-Z][a-z])")


def setup(app: Sphinx) -> None:
    """Let names in tables be broken between their parts: a phone has no room for whole ones."""
    app.connect("doctree-resolved", _breakable)


def _breakable(_app: Sphinx, doctree: nodes.document, _name: str) -> None:
    for entry in doctree.findall(nodes.entry):
        for literal in entry.findall(nodes.literal):
            first, *more = _PARTS.split(literal.astext())
            broken = [nodes.Text(first)]
            for part in more:
                broken += [nodes.raw("", "<wbr>", format="html"), nodes.Text(part)]
            literal.children = []
            literal.extend(broken)
