"""The results of an evaluation as one HTML page that needs no script and no network.

What came out stands first in plain words; then every measure with what it asks, which way is
better, figures and tables. What was not measured is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from textlrp.errors import DataError
from textlrp.reports.balance import Fact
from textlrp.reports.evaluation.deletion_section import compared, deletion_section, told
from textlrp.reports.evaluation.sections import SECTIONS
from textlrp.reports.evaluation.tables import (
    Results,
    Section,
    Sentence,
    Word,
    count,
    documents,
    real,
    said,
    share_text,
)
from textlrp.reports.numbers import number
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page

T = TypeVar("T")

_MEASURE_SECTIONS: dict[str, tuple[str, Callable[..., Section]]] = {
    "deletion": ("word deletion", deletion_section),
    **SECTIONS,
}


def evaluation_page(results: Mapping[str, Any], *, palette: str = "red-blue") -> str:
    """The results, as ``results.json`` holds them, as a self-contained page; any part may be missing.

    Raises :class:`DataError` where a part is not what its name promises, :class:`OptionError` for an
    unknown palette.
    """
    if not isinstance(results, Mapping):
        raise DataError(f"the results of an evaluation are a mapping; got {type(results).__name__}.")
    measured = [name for name in _MEASURE_SECTIONS if _is_there(results.get(name))]
    return rendered(
        "evaluation.html",
        model=str(results.get("model_name") or results.get("model") or "a model"),
        corpus=str(results.get("corpus") or ""),
        findings=_checked_results(results, "findings", lambda: findings(results)),
        sections=[_section(results, name) for name in measured],
        missing=[_MEASURE_SECTIONS[name][0] for name in _MEASURE_SECTIONS if name not in measured],
        notes=[str(note) for note in results.get("notes") or ()],
        facts=_checked_results(results, "facts", lambda: _run_facts(results)),
        palette=palette_of(palette),
    )


def write_evaluation(
    results: Mapping[str, Any], path: str | Path, *, palette: str = "red-blue", force: bool = False
) -> Path:
    """Writes :func:`evaluation_page` to ``path``, whole or not at all; gives back the path.

    Raises :class:`DataError` also if the folder is missing.
    """
    write_page(evaluation_page(results, palette=palette), path, force=force)
    return Path(path)


def findings(results: Results) -> list[Sentence]:
    """What came out, a sentence each."""
    found: list[Sentence] = []
    accuracy, counted = real(results.get("accuracy")), results.get("documents")
    if accuracy is not None:
        found.append(said("The model classifies *{}* of {} documents rightly.", share_text(accuracy), count(counted)))
    protocols = (results.get("deletion") or {}).get("protocols") or ()
    plain = [protocol for protocol in protocols if protocol.get("mode", "zero") == "zero"]
    for n, protocol in enumerate(plain):
        others = compared(protocol) if n == 0 else ()
        found.append((*told(protocol), Word(" "), *others) if others else told(protocol))
    found.append(_vectors_told((results.get("vectors") or {}).get("rows") or ()))
    found.append(_pointing_told(results.get("pointing") or {}))
    found.append(_rationales_told((results.get("rationales") or {}).get("levels") or ()))
    return [sentence for sentence in found if sentence]


def _vectors_told(rows: Sequence[Results]) -> Sentence:
    indices = {row["weighting"]: row["epi"] for row in rows if real(row.get("epi")) is not None}
    if not indices:
        return ()
    best, least = max(indices, key=indices.__getitem__), min(indices, key=indices.__getitem__)
    pattern = "Document vectors tell the topics apart best when weighted by *{}*: the explanatory power index is *{}*"
    if best == least:
        return said(pattern + ".", best, number(indices[best], 4))
    return said(pattern + ", with {} {}.", best, number(indices[best], 4), least, number(indices[least], 4))


def _pointing_told(pointing: Results) -> Sentence:
    hits = {
        row["method"]: row["accuracy"] for row in pointing.get("rows") or () if real(row.get("accuracy")) is not None
    }
    if not hits:
        return ()
    method = next(iter(hits))
    pattern = (
        "In texts glued from {} sentences, the strongest word of *{}* stands in a sentence of the predicted class "
        "in *{}* of the cases"
    )
    values = [count(pointing.get("sentences")), method, share_text(hits[method])]
    if "random" in hits:
        return said(pattern + "; a random word in {}.", *values, share_text(hits["random"]))
    return said(pattern + ".", *values)


def _rationales_told(levels: Sequence[Results]) -> Sentence:
    if not levels:
        return ()
    level = levels[0]
    precisions = {row["method"]: real(row.get("average_precision")) for row in level["rows"]}
    method, precision = next(iter(precisions.items()))
    if precision is None:
        return ()
    pattern = "*{}* ranks what people marked with an average precision of *{}* ({}, by {}s"
    values = [method, number(precision, 3), documents(level.get("documents")), level["by"]]
    others = [(name, precisions.get(name)) for name in ("tf × log ratio", "random")]
    for name, value in others:
        if value is not None:
            pattern, values = pattern + "; {}: {}", [*values, name, number(value, 3)]
    return said(pattern + ").", *values)


def _section(results: Results, name: str) -> Section:
    return _checked_results(results, name, lambda: _MEASURE_SECTIONS[name][1](results[name]))


def _checked_results(results: Results, name: str, reading: Callable[[], T]) -> T:
    """What ``reading`` gives; an error of the results' shape names the part that has it."""
    try:
        return reading()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as reason:
        raise DataError(
            f"the {name!r} part of the results cannot be shown: {type(reason).__name__}, {reason}. "
            "Pass results as evaluate() writes them."
        ) from reason


def _is_there(part: Any) -> bool:
    if isinstance(part, Mapping):
        return bool(part.get("rows") or part.get("protocols") or part.get("levels"))
    return bool(part)


def _run_facts(results: Results) -> list[Fact]:
    labels = results.get("labels") or ()
    facts = (
        Fact("model", str(results.get("model_name") or "")),
        Fact("kind", str(results.get("kind") or "")),
        Fact("fingerprint", str(results.get("model") or "")),
        Fact("corpus", str(results.get("corpus") or "")),
        Fact("documents", count(results["documents"]) if results.get("documents") is not None else ""),
        Fact("classes", f"{count(len(labels))}: {', '.join(labels)}" if labels else ""),
        Fact("intervals", "95 %, bootstrap over documents"),
        Fact("seed", "" if results.get("seed") is None else str(results["seed"])),
        Fact("date", str(results.get("date") or "")),
        Fact("textlrp", str(results.get("version") or "")),
    )
    return [fact for fact in facts if fact.value]
