"""spaCy's rules from the cache: the same tokens without spaCy, and damaged or older files are not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textlrp.text import kept_rules
from textlrp.text.kept_rules import _as_json, _from_json, spacy_language
from textlrp.text.spacy_rules import SpacyRules, load_spacy_tokenizer, written_rules

LANGUAGES = ["en", "de", "tr", pytest.param("fr", marks=pytest.mark.slow)]

PLAIN = "The shuttle's (3.5kg) arm—see http://nasa.gov/x_1?a=b or don't, U.S. e.g. \"it\"..."
SPECIAL = "Meet at 8 a.m. :-) o.O"

PROGRAM = """
import json, sys
from textlrp.text.tokens import make_tokenizer
tokenizer = make_tokenizer(sys.argv[1])
print(json.dumps(["spacy" in sys.modules, *(tokenizer.spans(text).tolist() for text in sys.argv[2:])]))
"""


def run(folder: Path, name: str = "spacy", *texts: str, before: str = "") -> list[Any]:
    """Return whether creating the tokenizer imported spaCy, and the spans of the texts."""
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM, name, *(texts or (PLAIN, SPECIAL))],
        env=os.environ | {"TEXTLRP_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@cache
def both(language: str) -> tuple[SpacyRules, SpacyRules]:
    """Return the rules from spaCy, and the same rules after writing and reading them."""
    tokenizer = load_spacy_tokenizer(language)
    written = written_rules(tokenizer)
    assert written is not None
    read = _from_json(json.loads(json.dumps(_as_json(written))))
    assert read == written
    return SpacyRules(written, lambda: tokenizer), SpacyRules(read, lambda: tokenizer)


# ---- laws

chunks = st.text(st.sampled_from("aB1éß.,:;!?'\"’()-–/@$€_<3xXoO") | st.characters(codec="utf-8"), min_size=1).map(
    lambda text: "".join(text.split()) or "a"
)


@pytest.mark.parametrize("language", LANGUAGES)
@given(chunk=chunks)
@example(chunk="(3.5kg)")
@example(chunk="http://nasa.gov/x_1?a=b,")
@example(chunk="aujourd'hui")
@settings(max_examples=50, deadline=None)
def test_kept_rules_cut_as_those_of_spacy(language: str, chunk: str) -> None:
    taken, kept = both(language)
    assert kept.split(chunk) == taken.split(chunk)


# ---- between processes


@pytest.mark.slow
def test_the_second_process_has_the_same_tokens_without_spacy(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path, "auto")  # splits these texts by the same rules
    assert first[0] is True
    assert second == [False, *first[1:]]
    assert [path.name.split("-")[0] for path in (tmp_path / "spacy").iterdir()] == ["en"]


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"don\'t"', b'"dont."'))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def forge(path: Path) -> None:
    """Store other content with a correct checksum."""
    stored = json.loads(path.read_text())
    kept_rules.write_cached(path, stored["key"], {"expressions": [], "cases": 3})


def age(path: Path) -> None:
    """Store valid rules of an older spaCy version, with a special case that the new version does not have."""
    stored = json.loads(path.read_text())
    stored["content"]["cases"] |= {"shuttle": [3, 4]}
    kept_rules.write_cached(path, stored["key"] | {"spacy": "3.0.0"}, stored["content"])


@pytest.mark.slow
@pytest.mark.parametrize("change", [damage, cut, forge, age])
def test_damaged_or_older_rules_are_read_from_spacy_again(tmp_path: Path, change: Any) -> None:
    first = run(tmp_path)
    (path,) = (tmp_path / "spacy").iterdir()
    whole = path.read_bytes()
    change(path)
    assert path.read_bytes() != whole
    assert run(tmp_path) == first
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_another_version_of_spacy_has_its_own_rules(tmp_path: Path) -> None:
    run(tmp_path)
    newer = (
        "import importlib.metadata as metadata\nasked = metadata.version\n"
        "metadata.version = lambda name: '99.0' if name == 'spacy' else asked(name)\n"
    )
    assert run(tmp_path, before=newer)[0] is True
    assert len(list((tmp_path / "spacy").iterdir())) == 2


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder would be")
    assert run(tmp_path / "file")[0] is True
    assert run(tmp_path / "file")[0] is True


@pytest.mark.slow
def test_rules_that_a_program_changed_are_neither_kept_nor_hidden(tmp_path: Path) -> None:
    changed = (
        "from spacy.lang.en import English\n"
        "English.Defaults.tokenizer_exceptions = {'shuttle': [{65: 'shut'}, {65: 'tle'}]}\n"
    )
    assert run(tmp_path, "spacy", "shuttle", before=changed) == [True, [[0, 4], [4, 7]]]
    assert not (tmp_path / "spacy").exists()
    assert run(tmp_path, "spacy", "shuttle")[1] == [[0, 7]]
    assert run(tmp_path, "spacy", "shuttle", before=changed) == [True, [[0, 4], [4, 7]]]


@pytest.mark.slow
def test_a_language_without_patterns_is_not_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "spacy:zh", "你好")[1] == run(tmp_path, "spacy:zh", "你好")[1]
    assert not (tmp_path / "spacy").exists()


def test_spacy_is_imported_once_for_all_chunks_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    _, kept = both("en")

    def load(name: str) -> Any:
        loaded.append(name)
        return kept.tokenizer()

    monkeypatch.setattr(kept_rules, "_key", lambda name: {"language": name, "spacy": "1"})
    monkeypatch.setattr(kept_rules, "read_cached", lambda path, key: _as_json(kept.written))
    monkeypatch.setattr(kept_rules, "load_spacy_tokenizer", load)
    rules, _ = spacy_language("en")
    assert rules is not None
    assert rules.split("plain,") == ((0, 5), (5, 6))
    assert loaded == []
    assert [rules.split("b:)"), rules.split("b:)")] == [((0, 1), (1, 3))] * 2
    assert loaded == ["en"]
