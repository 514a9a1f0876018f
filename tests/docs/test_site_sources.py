"""Links of the documentation lead to the same file on the site as in the repository."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from cases import every

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_sources", DOCS / "site_sources.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)  # for the modules that it imports
        spec.loader.exec_module(module)
    return module


SOURCES = loaded()


@every("page", sorted(DOCS.rglob("*.md")))
def test_a_link_leads_to_a_page_or_into_the_repository(page: Path) -> None:
    for link in SOURCES.LINK.findall(page.read_text(encoding="utf-8")):
        target = Path(os.path.normpath(page.parent / link))
        found = SOURCES.site_link(link, page)
        if found.startswith(SOURCES.REPOSITORY):
            kind, _, path = found.removeprefix(f"{SOURCES.REPOSITORY}/").partition("/main/")
            assert ROOT / path == target
            assert (ROOT / path).exists(), link
            assert kind == ("tree" if target.is_dir() else "blob")
        elif target in SOURCES.DOWNLOADS:
            assert found == link
            assert target.is_file()
        else:
            on_site = Path(os.path.normpath(page.parent / found))
            assert on_site.is_relative_to(DOCS)
            assert on_site == target or (on_site.name.lower(), target.exists()) == (target.name.lower(), True)


def test_links_out_of_the_documentation_are_replaced() -> None:
    page = DOCS / "how-to" / "pytorch.md"
    blob = f"{SOURCES.REPOSITORY}/blob/main"
    assert (
        SOURCES.site_link("../../notebooks/1_first_explanation.ipynb", page)
        == "../tutorials/1_first_explanation.ipynb"
    )
    assert SOURCES.site_link("../../CHANGELOG.md", page) == "../changelog.md"
    assert SOURCES.site_link("../../examples/bert.py", page) == f"{blob}/examples/bert.py"
    assert SOURCES.site_link("../../examples", page) == f"{SOURCES.REPOSITORY}/tree/main/examples"
    assert SOURCES.site_link("transformers.md", page) == "transformers.md"


def test_only_links_to_files_are_found() -> None:
    text = "[a](b.md) [c](d.md#e) [f](#g) [h](https://x.example/i.md) `[j]` (k.md)"
    assert SOURCES.LINK.findall(text) == ["b.md", "d.md"]


def test_links_of_notebooks_are_replaced_in_their_text_only() -> None:
    text = "[a](2_your_own_csv.ipynb) [b](../docs/how-to/pages.md#c) [d](../docs/gallery.md)"
    code = 'links[0](text) + "[a](../docs/how-to/pages.md)"'
    cells = [
        {"cell_type": "markdown", "source": [text[:9], text[9:]]},
        {"cell_type": "code", "source": [code], "outputs": [{"text": [text]}]},
    ]
    source = [json.dumps({"cells": cells})]
    page = DOCS / "tutorials" / "1_first_explanation.ipynb"
    SOURCES.replace_links(SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: page)), "", source)
    changed, same = json.loads(source[0])["cells"]
    assert changed["source"] == "[a](2_your_own_csv.ipynb) [b](../how-to/pages.md#c) [d](../gallery.md)"
    assert same == cells[1]


@every("path", sorted((ROOT / "notebooks").glob("*.ipynb")))
def test_a_link_of_a_notebook_leads_to_a_page_here_and_on_the_site(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    page = DOCS / "tutorials" / path.name
    assert SOURCES.LINK.findall(text)
    for link in SOURCES.LINK.findall(text):
        target = Path(os.path.normpath(path.parent / link))
        assert target.exists(), link
        on_site = Path(os.path.normpath(page.parent / SOURCES.site_link(link, path, page)))
        assert on_site == target or on_site == page.with_name(target.name)
