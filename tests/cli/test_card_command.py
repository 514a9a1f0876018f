"""``textlrp card``: what a card has, what is not recorded, its files, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cases import every
from test_cli import Run, refused, run  # noqa: F401  fixture
from toys import fitted

from textlrp.models.loading import load_classifier
from textlrp.models.model_facts import checked_card, model_facts
from textlrp.models.model_folder import PRETRAINED, bundled, checksum
from textlrp.models.saving import save_model
from textlrp.reports.model_card import card_markdown


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def a_model(path: str = "model", card: Mapping[str, Any] | None = None) -> Path:
    return save_model(fitted("boe"), Path(path), card=card)


@every("name", bundled())
def test_the_card_of_a_bundled_model_has_everything(name: str, run: Run) -> None:  # noqa: F811
    outcome = run("card", name)
    assert outcome.code == 0
    assert outcome.out.startswith(f"# Model card: {name}\n")
    assert "not recorded" not in outcome.out.lower()
    assert checksum(PRETRAINED / name / "model.safetensors") in outcome.out
    card = model_facts(name)["card"]
    assert sum(each["texts"] for each in card["classes"].values()) == card["test_texts"] == 7532
    correct = sum(each["recall"] * each["texts"] for each in card["classes"].values())
    assert round(correct / 7532, 4) == pytest.approx(card["test_accuracy"], abs=1e-4)


@every("name", bundled())
def test_the_card_of_a_bundled_model_has_no_address_and_is_small(name: str) -> None:
    config = PRETRAINED / name / "config.json"
    assert "@" not in json.dumps(model_facts(name)["card"])
    assert config.stat().st_size < 16_000


def test_what_a_model_does_not_have_is_not_recorded(run: Run) -> None:  # noqa: F811
    a_model()
    outcome = run("card", "model")
    assert outcome.code == 0
    assert outcome.out.count("Not recorded.") == 7
    assert "| classes | 3, one for each text |" in outcome.out
    assert "| `embedding_dim` | `" in outcome.out


def test_a_card_can_be_edited_without_damage_to_the_model(run: Run) -> None:  # noqa: F811
    folder = a_model()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["card"] = {"what": "Sorts tickets.", "limits": ["Only English."], "owner": "the help desk"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    load_classifier(folder)
    outcome = run("card", folder)
    assert "Sorts tickets.\n" in outcome.out
    assert "- Only English.\n" in outcome.out


def test_the_files(run: Run) -> None:  # noqa: F811
    a_model()
    assert run("card", "model", "-o", "card.md").out == "wrote card.md\n"
    assert run("card", "model", "-o", "card.json").out == "wrote card.json\n"
    assert json.loads(Path("card.json").read_text(encoding="utf-8")) == model_facts("model")
    assert Path("card.md").read_text(encoding="utf-8").endswith(card_markdown(model_facts("model")))
    assert run("card", "20newsgroups-boe", "-o", "card.md").code == 0  # a card replaces a card
    assert run("card", "20newsgroups-boe", "-o", "card.json").code == 0


def test_other_files_are_not_replaced(run: Run) -> None:  # noqa: F811
    a_model()
    Path("notes.md").write_text("# Mine\n")
    refused(run("card", "model", "-o", "notes.md"), "notes.md")
    refused(run("card", "model", "-o", "model/config.json"), "config.json")
    refused(run("card", "model", "-o", "card.txt"), ".md")
    assert run("card", "model", "-o", "notes.md", "--force").code == 0
    assert Path("notes.md.bak1").read_text() == "# Mine\n"


WRONG: Mapping[str, Any] = {
    "what": 3, "limits": "none", "shortcuts": [1], "test_accuracy": 2, "documents": -1, "settings": [],
    "classes": {"med": {"precision": 0.5}}, "seed": {},
}  # fmt: skip


@every("field", sorted(set(WRONG) - {"seed"}))
def test_a_wrong_field_is_named(field: str, run: Run) -> None:  # noqa: F811
    a_model(card={field: WRONG[field]})
    refused(run("card", "model"), f"card.{field} in config.json must be")


def test_no_value_is_none() -> None:
    assert checked_card({"held_out_accuracy": None, "test_accuracy": 0.5}) == {"test_accuracy": 0.5}


def test_a_damaged_model_is_refused(run: Run) -> None:  # noqa: F811
    refused(run("card", "missing"), "no model at")
    folder = a_model()
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    refused(run("card", "model"), "checksum differs")
    (folder / "model.safetensors").unlink()
    refused(run("card", "model"), "model.safetensors is missing")


HOSTILE = "<script>alert(1)</script> | [x](javascript:y) `a` *b* \x1b[31m\n# head"


def test_hostile_texts_have_no_meaning(run: Run) -> None:  # noqa: F811
    card = dict.fromkeys(("what", "corpus", "origin", "license", "command"), HOSTILE)
    measured = {HOSTILE: {"precision": None, "recall": 0.0, "texts": 0}}
    a_model(card=card | {"limits": [HOSTILE], "seed": HOSTILE, "classes": measured})
    outcome = run("card", "model")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    heads = [line for line in outcome.out.splitlines() if line.startswith("#")]
    assert [line.lstrip("# ") for line in heads] == [
        "Model card: model", "Data", "Intended use", "Limits", "Accuracy", "Known shortcuts", "Training settings",
        "Rebuild", "Files",
    ]  # fmt: skip
    pytest.importorskip("markdown_it")
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark").enable("table").render(outcome.out)
    for tag in ("<script", "<a ", "<em", "<h3"):
        assert tag not in page
    tables = [row.count("<td>") for row in page.split("</tr>") if "<td>" in row]
    assert set(tables) <= {2, 3, 4}


def test_the_command_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from textlrp.cli import main; assert main(['card', '20newsgroups-boe']) == 0; "
        "assert not {'torch', 'sklearn', 'spacy'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_older_cards_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(PRETRAINED / "20newsgroups-boe", folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["card"] = {"what": "trained on posts", "command": "python train.py", "seed": 0, "test_accuracy": 0.8163}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    text = card_markdown(model_facts(folder))
    assert "| test accuracy | 81.6% |" in text
    assert "Accuracy of each class: not recorded." in text
