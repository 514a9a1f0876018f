"""What the site needs in addition to the Markdown files of this folder.

- The notebooks of ``notebooks/`` become the tutorials, with their committed outputs.
- ``generated_pages.py`` writes the pages of the commands and of the bundled models to ``reference/``.
- Pages are made accessible where Sphinx and the theme are not.
- Links from a page to a file of the repository outside this folder become links to the tutorial, to the page of the
  changelog, to a download, or to the file in the repository on the web.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
TUTORIALS = DOCS / "tutorials"
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
PAGES = {ROOT / f"{name.upper()}.md": DOCS / f"{name}.md" for name in ("changelog", "contributing", "security")}
"""Files of the repository that are pages of the site, and the copies of them that the site is made from."""
DOWNLOADS = (ROOT / "requirements-render.txt",)
"""Files of the repository that the site has for download, so links to them stay as they are."""
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")
"""The target of a Markdown link to a file, without its anchor."""
LONG_SIGNATURE = re.compile(r"(?<=\(</span>)\s*<dl>\s*(.*?)</dl>", re.DOTALL)
"""The parameters of a signature of several lines, which Sphinx writes as a list of definitions without terms."""


def copy_notebooks() -> None:
    """Copy the notebooks to the tutorials; remove copies of notebooks that no longer exist."""
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    for path in TUTORIALS.glob("*.ipynb"):
        if path.name not in names:
            path.unlink()
    for name in names:
        shutil.copyfile(ROOT / "notebooks" / name, TUTORIALS / name)


def site_link(link: str, original: Path, page: Path | None = None) -> str:
    """Return where a link of a page leads on the site; a link within the site stays as it is.

    ``original`` is the file in which the link is written, and ``page`` the file of the site that has its text, if it
    is another one.
    """
    target = Path(os.path.normpath(original.parent / link))
    if target.is_relative_to(ROOT / "notebooks") and target.suffix == ".ipynb":
        target = TUTORIALS / target.name
    target = PAGES.get(target, target)
    if target in DOWNLOADS:
        return link
    if target.is_relative_to(DOCS):
        return os.path.relpath(target, (page or original).parent)
    kind = "tree" if target.is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{target.relative_to(ROOT).as_posix()}"


def replace_links(app: Any, name: str, source: list[str]) -> None:
    """Replace the links of a page that is being read (event ``source-read``); of a notebook, those of its text."""
    page = Path(app.env.doc2path(name))
    if page.suffix == ".ipynb":
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = site_text("".join(cell["source"]), ROOT / "notebooks" / page.name, page)
        source[0] = json.dumps(notebook)
    elif page.suffix == ".md":
        source[0] = site_text(source[0], page, page)


def site_text(text: str, original: Path, page: Path) -> str:
    """Return Markdown with its links replaced."""
    return LINK.sub(lambda match: site_link(match[0], original, page), text)


def copy_pages() -> None:
    """Copy the files of the repository that are pages of the site, with links that lead to the same places."""
    for original, page in PAGES.items():
        page.write_text(site_text(original.read_text("utf-8"), original, page), encoding="utf-8")


def lines_of(items: str) -> str:
    """Return the parameters of a long signature as lines."""
    return items.replace("<dd>", '<span class="parameter">').replace("</dd>", "</span>")


def make_accessible(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the keyboard scroll wide code and tables, and leave no header cell empty (event ``html-page-context``)."""
    body = context.get("body", "")
    for old, new in (
        ("<pre>", '<pre tabindex="0">'),
        ("<pre ", '<pre tabindex="0" '),
        ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
        ("<th></th>", "<td></td>"),
        ('<th class="head"></th>', "<td></td>"),
    ):
        body = body.replace(old, new)
    context["body"] = LONG_SIGNATURE.sub(lambda match: f'<span class="parameters">{lines_of(match[1])}</span>', body)


def keep_kernels_in(folder: Path) -> None:
    """Let Jupyter and IPython write to ``folder``, not to the user's home, and let kernels log only errors."""
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 'ERROR'\n")
    os.environ |= {"IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}


def setup(app: Any) -> None:
    # imported here, because the other functions need neither Sphinx nor the package
    import docstring_markup
    import generated_pages

    copy_notebooks()
    copy_pages()
    generated_pages.write_pages()
    keep_kernels_in(ROOT / "build" / "jupyter")
    app.connect("source-read", replace_links)
    docstring_markup.setup(app)
    app.connect("html-page-context", make_accessible)
