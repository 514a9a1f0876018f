"""Render the results of an evaluation as one HTML page without scripts and network access.

The findings come first, as sentences; then a section for each measure with a description, figures and tables; then
notes and the measures that are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from textlrp.errors import DataError
from textlrp.reports.balance import Fact
from textlrp.reports.evaluation.deletion_section import comparison_finding, deletion_finding, deletion_section
from textlrp.reports.evaluation.naopc_section import naopc_finding
from textlrp.reports.evaluation.retraining_sections import planted_finding, roar_finding
from textlrp.reports.evaluation.sections import SECTIONS
from textlrp.reports.evaluation.tables import (
    Results,
    Section,
    Sentence,
    Word,
    count,
    documents,
    finite,
    sentence,
    share_text,
    too_few,
)
from textlrp.reports.evaluation.vectors_section import vectors_finding
from textlrp.reports.numbers import number
from textlrp.reports.palette import palette as palette_of
from textlrp.reports.rendering import rendered, write_page

T = TypeVar("T")

_MEASURE_SECTIONS: dict[str, tuple[str, Callable[..., Section]]] = {
    "deletion": ("word deletion and insertion", deletion_section),
    **SECTIONS,
}


def evaluation_page(results: Mapping[str, Any], *, palette: str = "red-blue") -> str:
    """Render results, in the form of ``results.json``, as a self-contained page; any part may be missing.

    Raises :class:`DataError` if a part does not have the expected form, :class:`OptionError` for an unknown palette.
    """
    if not isinstance(results, Mapping):
        raise DataError(
            f"results must be a mapping, as evaluate() returns it; got {type(results).__name__}. Pass the content of "
            "results.json."
        )
    measured = [name for name in _MEASURE_SECTIONS if _has_content(results.get(name))]
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
    """Write :func:`evaluation_page` to ``path`` atomically, and return the path.

    Raises :class:`DataError` also if the folder does not exist.
    """
    write_page(evaluation_page(results, palette=palette), path, force=force)
    return Path(path)


def findings(results: Results) -> list[Sentence]:
    """The main results, one sentence each."""
    found: list[Sentence] = []
    accuracy, n_documents = finite(results.get("accuracy")), results.get("documents")
    few = too_few(n_documents)
    over = f"on {{}}{few}" if few else "({})"
    micro, macro = finite(results.get("micro_f1")), finite(results.get("macro_f1"))
    if accuracy is not None and micro is not None and macro is not None:
        pattern = "Micro F1 of the model: *{}*, macro F1: *{}*, subset accuracy: *{}* " + over + "."
        found.append(sentence(pattern, *map(share_text, (micro, macro, accuracy)), documents(n_documents)))
    elif accuracy is not None:
        found.append(sentence(f"Accuracy of the model: *{{}}* {over}.", share_text(accuracy), documents(n_documents)))
    protocols = (results.get("deletion") or {}).get("protocols") or ()
    zeroing = [protocol for protocol in protocols if protocol.get("mode", "zero") == "zero"]
    for n, protocol in enumerate(zeroing):
        others = comparison_finding(protocol) if n == 0 else ()
        finding = deletion_finding(protocol)
        found.append((*finding, Word(" "), *others) if others else finding)
    found.append(naopc_finding(results.get("naopc") or {}))
    found.append(vectors_finding(results.get("vectors") or {}))
    found.append(_pointing_finding(results.get("pointing") or {}))
    found.append(_rationales_finding((results.get("rationales") or {}).get("levels") or ()))
    found.append(planted_finding(results.get("planted") or {}))
    found.append(roar_finding(results.get("roar") or {}))
    return [finding for finding in found if finding]


def _pointing_finding(pointing: Results) -> Sentence:
    hits = {
        row["method"]: row["accuracy"]
        for row in pointing.get("rows") or ()
        if finite(row.get("accuracy")) is not None
    }
    if not hits:
        return ()
    method = next(iter(hits))
    few = too_few(pointing["rows"][0].get("counted"))
    pattern = (
        "Pointing game on hybrid documents of {} sentences: the most relevant word (*{}*) is in a sentence of the "
        f"predicted class in *{{}}* of them{few}"
    )
    values = [count(pointing.get("sentences")), method, share_text(hits[method])]
    if "random" in hits:
        return sentence(pattern + ", a random word in {}.", *values, share_text(hits["random"]))
    return sentence(pattern + ".", *values)


def _rationales_finding(levels: Sequence[Results]) -> Sentence:
    if not levels:
        return ()
    level = levels[0]
    precisions = {row["method"]: finite(row.get("average_precision")) for row in level["rows"]}
    method, precision = next(iter(precisions.items()))
    if precision is None:
        return ()
    pattern = "Agreement with human rationales by {} ({}): average precision *{}* for *{}*"
    pattern += too_few(level.get("documents"))
    values = [level["by"], documents(level.get("documents")), number(precision, 3), method]
    others = [(name, precisions.get(name)) for name in ("tf × log ratio", "random")]
    for name, value in others:
        if value is not None:
            pattern, values = pattern + ", {} for {}", [*values, number(value, 3), name]
    return sentence(pattern + ".", *values)


def _section(results: Results, name: str) -> Section:
    return _checked_results(results, name, lambda: _MEASURE_SECTIONS[name][1](results[name]))


def _checked_results(results: Results, name: str, make: Callable[[], T]) -> T:
    """Return ``make()``; turn an error due to malformed results into a :class:`DataError` that names the part."""
    try:
        return make()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as reason:
        raise DataError(
            f"the part {name!r} of the results does not have the expected form ({type(reason).__name__}: {reason}). "
            "Pass results as evaluate() writes them."
        ) from reason


def _has_content(part: Any) -> bool:
    if isinstance(part, Mapping):
        return bool(part.get("rows") or part.get("protocols") or part.get("levels") or part.get("kinds"))
    return bool(part)


def _run_facts(results: Results) -> list[Fact]:
    labels = results.get("labels") or ()
    facts = (
        Fact("model", str(results.get("model_name") or "")),
        Fact("classifier", str(results.get("kind") or "")),
        Fact("fingerprint", str(results.get("model") or "")),
        Fact("corpus", str(results.get("corpus") or "")),
        Fact("documents", count(results["documents"]) if results.get("documents") is not None else ""),
        Fact("classes", f"{count(len(labels))}: {', '.join(labels)}" if labels else ""),
        Fact("intervals", "95%, bootstrap over documents"),
        Fact("seed", "" if results.get("seed") is None else str(results["seed"])),
        Fact("date", str(results.get("date") or "")),
        Fact("textlrp", str(results.get("version") or "")),
    )
    return [fact for fact in facts if fact.value]
