"""Citation, contributing, security, templates: they agree with the package, and the recipes work."""

from __future__ import annotations

import importlib
import re
import textwrap
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from cases import every
from laws import score_gap
from reference import Recipe
from services import toy_client
from test_readme import files_in_code, links_of
from typer.main import get_command

import textlrp
from textlrp.cli import app
from textlrp.explainers import method_table, methods
from textlrp.explainers.attribution import BASELINE, UNSUMMED, Attribution, Case
from textlrp.lrp import rules
from textlrp.models.pipeline.pipeline_files import TRUSTED
from textlrp.reports.evaluation import sections
from textlrp.serve.serve_options import ServeOptions

ROOT = Path(__file__).parent.parent
CONTRIBUTING, SECURITY = ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"
PAGES = (CONTRIBUTING, SECURITY, ROOT / "CODE_OF_CONDUCT.md", ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md")
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
FORMS = [path for path in TEMPLATES if path.name != "config.yml"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# ---- citation


def test_the_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == textlrp.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == REPOSITORY
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["message"]
    assert citation["authors"] == [{"name": "The textlrp authors"}]
    assert "the textlrp authors" in text_of(ROOT / "LICENSE")
    papers = {paper["doi"]: paper for paper in citation["references"]}
    assert set(papers) == {"10.1371/journal.pone.0181142", "10.1371/journal.pone.0130140"}
    for doi, paper in papers.items():
        assert paper["start"] == f"e{doi[-7:]}"
        assert {"type", "title", "authors", "journal", "volume", "issue", "year"} <= paper.keys()
        assert all(set(author) == {"family-names", "given-names"} for author in paper["authors"])


# ---- templates


@every("path", FORMS)
def test_a_form_has_the_fields_that_a_forge_needs(path: Path) -> None:
    form = yaml.safe_load(text_of(path))
    assert form["name"]
    assert form["description"]
    assert form["labels"]
    identifiers = [part["id"] for part in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown")
        assert part["attributes"]["label"]
        assert part["type"] != "dropdown" or len(part["attributes"]["options"]) > 1
    assert any(part.get("validations", {}).get("required") for part in form["body"])
    assert "`textlrp --version`" in text_of(path)


def test_a_wrong_explanation_is_reported_with_its_score_breakdown() -> None:
    form = yaml.safe_load(text_of(ROOT / ".github" / "ISSUE_TEMPLATE" / "2-explanation.yml"))
    required = {part["id"] for part in form["body"] if part.get("validations", {}).get("required")}
    assert required == {"text", "code", "breakdown", "expected", "model", "version"}


# ---- links, files, commands


def test_all_links_to_the_forge_lead_to_the_repository() -> None:
    for path in (*PAGES, *TEMPLATES, ROOT / "docs" / "results" / "gpu.md"):
        assert set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", text_of(path))) <= {REPOSITORY}, path.name
    private = f"{REPOSITORY}/security/advisories/new"
    for path in (SECURITY, ROOT / "CODE_OF_CONDUCT.md", ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"):
        assert private in text_of(path), path.name


@every("page", PAGES)
def test_every_link_and_every_file_exists(page: Path) -> None:
    for link in links_of(page):
        assert (page.parent / link.partition("#")[0]).exists(), link
    named = files_in_code(page) | set(re.findall(r"`(textlrp/[\w/.-]+)`", text_of(page)))
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_promise_names_a_test_that_exists() -> None:
    rows = [line for line in text_of(SECURITY).splitlines() if line.startswith("|")]
    promises = [row for row in rows if not re.match(r"\|[- |]+$|.*\| checked by \|$", row)]
    assert len(promises) >= 18
    for promise in promises:
        checks = re.findall(r"`(tests/[\w/]+\.py)`", promise.strip("|").split("|")[-1])
        assert checks, promise
        assert all((ROOT / check).is_file() for check in checks), promise


def test_every_make_target_and_command_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    commands: Any = get_command(app)
    for page in PAGES:
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.MULTILINE)) <= targets
        assert set(re.findall(r"(?:^|`)textlrp ([a-z]+)", text_of(page), re.MULTILINE)) <= set(commands.commands)


@every(
    "option",
    ["--trust-pickle", "--keep-formulas", "--no-texts", "--encoder", "--host", "--cors-origin", "--log-texts"],
)
def test_every_option_of_a_promise_exists(option: str) -> None:
    commands: Any = get_command(app)
    options = {name for each in commands.commands.values() for parameter in each.params for name in parameter.opts}
    assert option in options
    assert f"`{option}`" in text_of(SECURITY)


# ---- promises that no other test checks


def test_the_service_is_private_unless_options_say_otherwise() -> None:
    options = ServeOptions()
    assert options.host == "127.0.0.1"
    assert options.accepted_hosts() == {"127.0.0.1", "localhost", "::1"}
    assert not options.cors_origins
    assert not options.log_texts
    headers = toy_client().post("/v1/predict", json={"texts": ["a"]}).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_number_of_allowed_types_is_stated() -> None:
    assert {name.partition(".")[0] for name in TRUSTED} == {"sklearn", "scipy"}
    assert f"those that skops trusts, and {len(TRUSTED)} of scikit-learn and SciPy" in text_of(SECURITY)


# ---- the recipes


def block(begin: str) -> str:
    """The block of Python in CONTRIBUTING.md that contains a line."""
    blocks = [
        textwrap.dedent(each) for each in re.findall(r" *```python\n(.*?)```", text_of(CONTRIBUTING), re.DOTALL)
    ]
    (found,) = [each for each in blocks if begin in each]
    return found


def made(begin: str, name: str, **names: Any) -> Any:
    """Run a block of CONTRIBUTING.md with these names, and return what it defines as ``name``."""
    exec(compile(block(begin), CONTRIBUTING.name, "exec", flags=0, dont_inherit=True), names)
    return names[name]


def test_the_rule_of_the_recipe_equals_its_loops_and_conserves_relevance() -> None:
    rule = made("class Absolute", "Absolute", **vars(rules))
    loops = "match recipe.rule:\n" + textwrap.indent(block('case "absolute"'), "    ")
    loops = "def share(products, recipe):\n" + textwrap.indent(loops, "    ")
    names: dict[str, Any] = vars(importlib.import_module("reference")).copy()
    exec(loops, names)
    test_rules = importlib.import_module("lrp.test_rules")
    row = test_rules.BY_HAND
    expected, causes = names["share"]([4.0, -3.0, 2.0], Recipe(rule="absolute"))
    assert expected == pytest.approx([4 / 9, 3 / 9, 2 / 9])
    assert causes == {"bias": 0.0, "stabilizer": 0.0}
    step = test_rules.neurons(row)
    assert step.received(rule().shares(step))[0].tolist() == pytest.approx(expected)
    why = textlrp.explain(
        textlrp.load("20newsgroups-cnn"), "The shuttle reached its orbit.", rule=rule(), target="all"
    )
    assert score_gap(why) < 1e-5
    with pytest.raises(textlrp.errors.RuleError, match="stabilizer must be a finite number >= 0; got -1"):
        rule(-1)


def test_the_method_of_the_recipe_explains_and_sums_to_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    method = made("class KeepOne", "KeepOne", **vars(methods))
    function = made(
        "def keep_one", "keep_one", np=np, Case=Case, Attribution=Attribution, BASELINE=BASELINE, UNSUMMED=UNSUMMED
    )
    (entry,) = eval(block("MethodEntry(").strip(), {**vars(method_table), "KeepOne": method, "keep_one": function})
    monkeypatch.setattr(method_table, "METHODS", method_table.METHODS | {"keep-one": entry})
    model = textlrp.load("20newsgroups-cnn")
    batch = model.encode(["The shuttle reached its orbit."])
    found = entry.explain(Case(model, batch, 0, (14, 3), None), method())
    scores = model.scores(batch)[0][[14, 3]]
    total = found.relevance.sum(axis=1) + sum(found.ledger.values())
    np.testing.assert_allclose(total, scores, rtol=1e-5)
    alone = model.decision_function(["", "shuttle"])
    assert method_table.as_method("keep-one") == method()
    assert found.relevance.shape == (2, len(batch.readings[0].positions))
    assert found.ledger[BASELINE][0] == pytest.approx(alone[0][14], rel=1e-5)


def test_the_measure_of_the_recipe_is_computed_and_shown() -> None:
    measure = made("def effective_words", "effective_words", np=np, FloatArray=Any)
    assert measure(np.full(7, -0.5)) == pytest.approx(7)
    assert measure(np.array([3.0, 0.0])) == pytest.approx(1)
    assert np.isnan(measure(np.zeros(3)))
    run = made("def effective(", "effective", np=np, Any=Any, EvaluationRun=Any, effective_words=measure)
    state = SimpleNamespace(
        plan=SimpleNamespace(methods=[SimpleNamespace(title="LRP")]),
        relevances=lambda spec: ([np.ones(3), np.ones(5), np.zeros(2)], None),
    )
    rows = run(state)
    assert rows == [{"method": "LRP", "median": pytest.approx(4), "documents": 2}]
    section = made("def effective_section", "effective_section", **vars(sections))(rows)
    (shown,) = section.blocks
    assert [cell.text for cell in shown.table.rows[0]] == ["LRP", "4.0", "2"]
