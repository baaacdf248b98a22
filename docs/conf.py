"""Settings of Sphinx for the documentation site; `docs/build_site.py` writes the sources that Sphinx reads."""

import inspect
from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import convscope

project = "convscope"
author = "the authors of convscope"
version = release = installed_version("convscope")
root_doc = "index"
html_title = f"convscope {version}"
html_short_title = "convscope"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

# The pages must also read well where the code is hosted, so little of MyST is used that is not plain Markdown.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "dollarmath"]
html_math_renderer = "mathml"

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"
highlight_language = "none"

# In our docstrings, as in Markdown, one backtick is code.
default_role = "literal"
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
add_module_names = False
toc_object_entries_show_parents = "hide"

# Names of other libraries are not linked, since their documentation would have to be downloaded for that.
nitpick_ignore_regex = [("py:.*", r"(?!convscope\.).*")]
linkcheck_timeout = 20
linkcheck_retries = 2

_PUBLIC = {
    f"{value.__module__}.{value.__qualname__}": f"convscope.{name}"
    for name, value in ((name, getattr(convscope, name)) for name in convscope.__all__)
    if inspect.isclass(value) or inspect.isfunction(value)
}


def setup(app: Any) -> None:
    """Link each name of the package to the description of its public name, and draw formulas without a script."""
    app.connect("missing-reference", _to_public_name)
    app.add_html_math_renderer("mathml", (_add_formula, None), (_add_formula, None))


def _add_formula(writer: Any, node: Any) -> None:
    """Write a formula as MathML, which browsers draw themselves, so that the site works from a disk."""
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=is_block)
    writer.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def _to_public_name(app: Any, env: Any, node: Any, text: Any) -> Any:
    """Resolve the reference to a class by its defining module: a link to its public name, or plain text without one."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py":
        return None
    public = _PUBLIC.get(target)
    if public is None:
        return text if target.startswith("convscope.") else None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], public, node, text)
