"""The card of a model as Markdown: data, intended use, limits, accuracy per class, known shortcuts, how to rebuild.

Open it to change what ``textlrp card`` prints. It writes what :func:`textlrp.models.model_facts.model_facts` returns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textlrp.reports.numbers import percentage
from textlrp.reports.rendering import showable

NOT_RECORDED = "Not recorded."
NO_MEASURE = "not recorded"
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")
"""Characters with a meaning in Markdown."""


def card_markdown(facts: Mapping[str, Any], *, level: int = 1) -> str:
    """Return the card of a model as Markdown, with a final newline.

    ``facts`` are those of :func:`textlrp.models.model_facts.model_facts`. ``level`` is the level of the first
    heading. What the card of the model does not have is shown as not recorded.
    """
    card = facts["card"]
    sections = [
        (f"Model card: {facts['name']}", _summary(facts)),
        ("Data", _data(card)),
        ("Intended use", _bullets(card.get("intended_use"))),
        ("Limits", _bullets(card.get("limits"))),
        ("Accuracy", _accuracy(card)),
        ("Known shortcuts", _bullets(card.get("shortcuts"))),
        ("Training settings", _settings_table(facts)),
        ("Rebuild", _rebuild(card)),
        ("Files", _file_table(facts["files"])),
    ]
    parts = []
    for number, (title, body) in enumerate(sections):
        parts.append(f"{'#' * (level + bool(number))} {plain_markdown(title)}")
        parts += body
    return "\n\n".join(parts) + "\n"


def plain_markdown(text: object) -> str:
    """Return a text on one line in which no character has a meaning in Markdown or HTML."""
    return _escaped_line(" ".join(str(text).split()))


def _escaped_line(line: str) -> str:
    return SPECIAL.sub(r"\\\1", showable(line))


def _code(text: object) -> str:
    """Inline code; a text with backquotes gets longer quotes."""
    line = " ".join(showable(str(text)).split()).replace("|", "\\|")
    ticks = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    padding = " " if len(ticks) > 1 else ""
    return f"{ticks}{padding}{line}{padding}{ticks}"


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sentence(text: object) -> str:
    """A text of a card as a paragraph: code between backquotes stays code, all other characters are plain."""
    parts = re.split(r"`([^`]+)`", " ".join(str(text).split()))
    return "".join(_code(part) if number % 2 else _escaped_line(part) for number, part in enumerate(parts))


def _summary(facts: Mapping[str, Any]) -> list[str]:
    card = facts["card"]
    labels = "several for each text" if facts["multi_label"] else "one for each text"
    what = card.get("what")
    rows = [
        ("kind", f"{_code(facts['kind'])}, {plain_markdown(facts['kind_name'])}"),
        ("classes", f"{len(facts['classes']):,}, {labels}"),
        ("training texts", f"{facts['documents']:,}"),
        ("vocabulary", f"{facts['words']:,} words"),
        ("parameters", f"{facts['parameters']:,}"),
        ("size of the files", _megabytes(sum(file["bytes"] for file in facts["files"].values()))),
        ("test accuracy", percentage(card["test_accuracy"]) if "test_accuracy" in card else NO_MEASURE),
        ("saved by", f"textlrp {plain_markdown(facts['textlrp'])}"),
    ]  # fmt: skip
    first = [_sentence(what)] if what else []
    return [*first, _markdown_table(("fact", "value"), rows)]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e4 else f"{size:,} bytes"


def _data(card: Mapping[str, Any]) -> list[str]:
    corpus = plain_markdown(card["corpus"]) if "corpus" in card else ""
    documents = f"{card['documents']:,} training texts." if "documents" in card else ""
    named = [f"Corpus: {corpus}. {documents}".rstrip()] if corpus else []
    return [
        *named,
        f"**Origin.** {_sentence(card.get('origin', NOT_RECORDED))}",
        f"**License.** {_sentence(card.get('license', NOT_RECORDED))}",
    ]


def _bullets(sentences: Sequence[str] | None) -> list[str]:
    return ["\n".join(f"- {_sentence(each)}" for each in sentences)] if sentences else [NOT_RECORDED]


def _accuracy(card: Mapping[str, Any]) -> list[str]:
    names = {
        "test_accuracy": "on the test texts",
        "test_accuracy_before_compression": "on the test texts, before the weights were compressed",
        "held_out_accuracy": "on training texts that were kept out of the training",
        "test_probability": "mean probability of the predicted class, test texts",
    }
    rows = [(name, percentage(card[key])) for key, name in names.items() if key in card]
    measured = card.get("classes")
    number = f" ({card['test_texts']:,} test texts)" if "test_texts" in card else ""
    first = _markdown_table(("accuracy", "value"), rows) if rows else NOT_RECORDED
    if not measured:
        return [first, f"Accuracy of each class: {NO_MEASURE}."]
    lines = [
        (plain_markdown(label), _share(each["precision"]), _share(each["recall"]), f"{each['texts']:,}")
        for label, each in measured.items()
    ]
    about = (
        f"For each class{number}: precision is the share of its predictions that are correct, recall the share of "
        "its texts that are predicted as the class."
    )
    return [first, about, _markdown_table(("class", "precision", "recall", "texts"), lines)]


def _share(share: float | None) -> str:
    return "none predicted" if share is None else percentage(share)


def _settings_table(facts: Mapping[str, Any]) -> list[str]:
    card = facts["card"]
    seed = _code(card["seed"]) if "seed" in card else NO_MEASURE
    rows = [(_code(name), _code(_short_value(value))) for name, value in facts["options"].items()]
    return [f"Seed: {seed}.", _markdown_table(("option", "value"), rows)]


def _short_value(value: Any, limit: int = 200) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text):,} characters)"


def _rebuild(card: Mapping[str, Any]) -> list[str]:
    return list(_rebuild_parts(card)) or [NOT_RECORDED]


def _rebuild_parts(card: Mapping[str, Any]) -> Iterator[str]:
    if "command" in card:
        yield f"{_code(card['command'])} trains the model."
    if "card_command" in card:
        yield f"{_code(card['card_command'])} measures the numbers of this card again."
    if "training_data_sha256" in card:
        yield f"SHA-256 of the ids and texts of the training corpus: {_code(card['training_data_sha256'])}."


def _file_table(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [(_code(name), f"{file['bytes']:,}", _code(file["sha256"])) for name, file in files.items()]
    return [_markdown_table(("file", "bytes", "SHA-256"), rows)]
