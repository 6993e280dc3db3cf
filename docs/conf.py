"""Sphinx: the manual. `make docs` builds it."""

from __future__ import annotations

project = "Flow Nexus"
author = "The Flow Nexus authors"
copyright = "The Flow Nexus authors, Apache-2.0"  # noqa: A001 - the name that Sphinx reads
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Flow Nexus"
# Links to files of the repository that are no pages of the manual.
suppress_warnings = ["myst.xref_missing"]
