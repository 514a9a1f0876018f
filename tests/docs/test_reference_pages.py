"""The pages of the reference have all public names, commands, columns and fields, and no others."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import every
from house import PUBLISHED
from toys import LABELS, TEXTS, fitted

import textlrp
from textlrp import errors
from textlrp.cli import app
from textlrp.cli.predictions import PREDICTION_COLUMNS
from textlrp.cli.similar_run import SIMILAR_FIELDS
from textlrp.cli.word_tables import WORD_COLUMNS
from textlrp.evaluation.running.measures import MEASURES
from textlrp.models.model_facts import CARD_FIELDS
from textlrp.models.model_folder import bundled
from textlrp.models.saving import save_model
from textlrp.models.tensor_file import read_header
from textlrp.records import Status
from textlrp.shortcut_groups import ShortcutGroup, Shortcuts
from textlrp.store.columns import LABEL_SETS_SCHEMA, METADATA, WHOLE_SCHEMA, RunMetadata
from textlrp.store.words_csv import CSV_COLUMNS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
API = REFERENCE / "api"
FORMATS = (REFERENCE / "file-formats.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^\.\. (?:auto(?:class|function|exception)|py:data):: (\w+)", re.MULTILINE)


@pytest.fixture(scope="module")
def generated() -> Iterator[object]:
    """The module that writes the generated pages."""
    sys.path.insert(0, str(ROOT / "docs"))
    yield importlib.import_module("generated_pages")
    sys.path.remove(str(ROOT / "docs"))


def read_page(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(title: str, page: str = FORMATS) -> str:
    """The text below a heading, up to the next one."""
    return re.split(r"^#+ ", page.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {n - 1 for n, line in enumerate(lines) if set(line) <= set("|- ")}
    kept = [line for n, line in enumerate(lines) if n not in heads and n - 1 not in heads]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in kept]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ---- API


def test_there_is_one_page_for_each_published_module() -> None:
    pages = [page.read_text(encoding="utf-8") for page in API.glob("*.md")]
    modules = [name for page in pages for name in re.findall(r"automodule:: (\S+)", page)]
    assert sorted(modules) == sorted(f"textlrp{name}" for name in PUBLISHED)
    index = (API / "index.md").read_text(encoding="utf-8")
    assert {row[0].partition("`")[2].partition("`")[0] for row in rows(index)} == {f"textlrp{n}" for n in PUBLISHED}


@every("module", [f"textlrp{name}" for name in PUBLISHED])
def test_the_page_of_a_module_has_all_its_public_names(module: str) -> None:
    pages = {
        re.findall(r"automodule:: (\S+)", text)[0]: text
        for text in map(read_page, API.glob("*.md"))
        if "automod" in text
    }
    loaded = importlib.import_module(module)
    if re.search(r"automodule::.*\n   :members:", pages[module]):
        # Sphinx lists the names of dir(), in which names that are imported on first use are missing
        assert "__getattr__" not in vars(loaded), f"list the names of {module} on its page"
        assert ENTRY.findall(pages[module]) == []
    else:
        assert sorted(ENTRY.findall(pages[module])) == sorted(loaded.__all__)


def test_the_page_for_extending_has_what_the_guides_import() -> None:
    documented, module = set(), ""
    for directive, name in re.findall(r"^\.\. (\w+):: (\S+)", read_page(API / "extending.md"), re.MULTILINE):
        module = name if directive == "currentmodule" else module
        if directive != "currentmodule":
            documented.add((module, name))
            assert inspect.getdoc(getattr(importlib.import_module(module), name))
    used = set()
    for page in (ROOT / "docs" / "how-to").glob("*.md"):
        for module, imported in re.findall(r"^from (textlrp[.\w]+) import ([\w, ]+)$", read_page(page), re.MULTILINE):
            if module.removeprefix("textlrp") not in PUBLISHED and not module.startswith("textlrp.reports"):
                used |= {(module, name) for name in imported.split(", ")}
    assert len(used) >= 5
    assert used - documented == set()


def test_the_overview_has_all_public_names_of_textlrp() -> None:
    overview = section("Overview", (API / "textlrp.md").read_text(encoding="utf-8"))
    assert sorted(re.findall(r"^   (\w+)$", overview, re.MULTILINE)) == sorted(textlrp.__all__)


def test_the_short_signature_of_explain_is_its_signature() -> None:
    shown = re.search(r"autofunction:: explain(\(.*\))", (API / "textlrp.md").read_text(encoding="utf-8"))
    assert shown is not None
    plain = [each.replace(annotation=each.empty) for each in inspect.signature(textlrp.explain).parameters.values()]
    assert shown[1] == str(inspect.Signature(plain))


@every("module", [f"textlrp{name}" for name in PUBLISHED])
def test_every_public_name_has_a_docstring_with_a_first_sentence(module: str) -> None:
    loaded = importlib.import_module(module)
    for name in loaded.__all__:
        thing = getattr(loaded, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
            assert first.rstrip().endswith((".", ":", "?")), f"{module}.{name}: {first}"


# ---- pages that are generated


def test_the_page_of_commands_has_each_command_with_all_its_options(generated: object) -> None:
    from typer.main import get_command

    page: str = generated.commands_page()  # type: ignore[attr-defined]
    program = get_command(app)
    commands = program.commands  # type: ignore[attr-defined]
    assert re.findall(r"^## textlrp (\w+)$", page, re.MULTILINE) == list(commands)
    assert "[bold]" not in page
    for name, command in commands.items():
        text = section(f"textlrp {name}", page)
        assert "**Examples**" in text
        described = " ".join(row[0] for row in rows(text))
        for parameter in command.params:
            expected = parameter.metavar if parameter.param_type_name == "argument" else max(parameter.opts, key=len)
            hidden = getattr(parameter, "hidden", False)
            assert (expected.strip("[]") in described) != hidden, f"{name} {expected}"


def test_the_page_of_models_has_a_card_for_each_bundled_model(generated: object) -> None:
    page: str = generated.models_page()  # type: ignore[attr-defined]
    cards = re.findall(r"^## Model card: (\S+)$", page, re.MULTILINE)
    assert cards == ["20newsgroups-cnn", "20newsgroups-boe"]
    assert sorted(cards) == bundled()
    assert "not recorded" not in page.partition("## Model card")[2].lower()


# ---- file formats


def test_the_columns_of_parquet_files() -> None:
    described = [
        (row[0].strip("`"), row[1].replace("\\", ""))
        for row in rows(section("Explanations as Parquet"))
        if len(row) == 3
    ]
    for schema in (WHOLE_SCHEMA, LABEL_SETS_SCHEMA):
        columns = {column.name: str(column.type).replace("item: ", "").replace(" not null", "") for column in schema}
        assert columns.items() <= dict(described).items()
    assert {name for name, _ in described} == set(LABEL_SETS_SCHEMA.names)
    assert len(described) == len(LABEL_SETS_SCHEMA.names)


def test_the_columns_and_the_metadata_of_a_bulk_run() -> None:
    metadata = RunMetadata(("a", "b"), "lrp", "", "", "", "float32", None, thresholds=(0.0, 0.0))
    always = rows(section("Explanations as Parquet").partition("further columns")[0])
    assert [row[0].strip("`") for row in always] == [
        name for name in metadata.schema().names if name not in ("predicted_labels", "true_labels")
    ]
    stored = json.loads(metadata.schema().metadata[METADATA])
    shown = [row[0].strip("`") for row in rows(section("Folder of a bulk run").partition("the key `textlrp`")[2])]
    assert shown == list(stored)


def test_the_numbers_of_the_status() -> None:
    shown = [row for row in rows(section("Explanations as Parquet")) if len(row) == 2]
    assert [int(row[0]) for row in shown] == [int(status) for status in Status]


def test_the_columns_of_tables() -> None:
    shown = [tuple(names(row[1])) for row in rows(section("Tables"))]
    assert shown == [PREDICTION_COLUMNS, WORD_COLUMNS, SIMILAR_FIELDS, CSV_COLUMNS]


def test_the_fields_of_a_model_folder(tmp_path: Path) -> None:
    described = rows(section("Model folder"))
    fields = [row[0].strip("`") for row in described if len(row) == 2]
    models = [
        fitted("cnn"), fitted("boe"), fitted("svm"), textlrp.BagOfWordsClassifier(ngrams=3).fit(TEXTS, LABELS),
        textlrp.BagOfEmbeddingsClassifier(subwords=(3, 4), buckets=8, max_epochs=1).fit(TEXTS, LABELS),
    ]  # fmt: skip
    tensors: set[str] = set()
    for number, model in enumerate(models):
        folder = save_model(model, tmp_path / str(number))
        assert set(json.loads((folder / "config.json").read_text(encoding="utf-8"))) | {
            "thresholds",
            "encoder",
        } == set(fields)
        tensors |= set(read_header(folder / "model.safetensors"))
    shown = {name for row in described if len(row) == 4 for name in names(row[0])}
    assert shown | {"conv3.weight", "conv3.bias"} == tensors
    card = {row[0].strip("`"): row[1:] for row in described if len(row) == 3}
    assert card == {name: [field.what, field.meaning] for name, field in CARD_FIELDS.items()}


def test_the_fields_of_results() -> None:
    shown = [name for row in rows(section("Results of an evaluation")) for name in names(row[0])]
    assert [name for name in shown if name in MEASURES] == list(MEASURES)
    groups = section("Shortcuts")
    assert set(ShortcutGroup.__dataclass_fields__) | set(Shortcuts.__dataclass_fields__) <= set(names(groups))


# ---- errors


def test_the_table_of_exceptions() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows(section("Exceptions", page=error_page()))}
    found = {
        name: next((base.__name__ for base in thing.__bases__ if base is not errors.TextlrpError), "")
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Exception) and thing.__module__ == errors.__name__
    }
    assert shown == found


def test_each_extra_that_a_message_names_is_in_the_table_and_can_be_installed() -> None:
    shown = {row[0].strip("`") for row in rows(section("Optional packages", page=error_page()))}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "textlrp").rglob("*.py"))
    assert set(re.findall(r"""pip install ["']textlrp\[(\w+)\]""", source)) <= shown
    assert {"serve", "skops", "xlsx"} <= shown
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert shown <= extras.keys()


def error_page() -> str:
    return (REFERENCE / "errors.md").read_text(encoding="utf-8")
