"""The sections of the evaluation page, one per measure. Open it to add the section of a measure."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from textlrp.reports.balance import cause_name
from textlrp.reports.charts.figures import bars_figure
from textlrp.reports.evaluation.errors_sections import errors_section, planted_errors_section
from textlrp.reports.evaluation.naopc_section import naopc_section
from textlrp.reports.evaluation.retraining_sections import planted_section, roar_section
from textlrp.reports.evaluation.sanity_sections import cascade_section, sanity_section
from textlrp.reports.evaluation.soft_section import soft_section
from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Drawing,
    Results,
    Section,
    Table,
    count,
    difference_cells,
    documents,
    duration,
    figure_cell,
    head,
    interval_cell,
    share_cell,
    verdict_heads,
    verdicts_note,
)
from textlrp.reports.evaluation.text_sections import rationales_section, words_section
from textlrp.reports.evaluation.vectors_section import vectors_section


def eraser_section(rows: list[Results]) -> Section:
    """Comprehensiveness and sufficiency."""
    quantity, against = rows[0].get("quantity", "probability"), rows[0]["method"]
    tables = (
        Table(
            f"{title}: mean decrease of the {quantity} of the predicted class, {documents(rows[0].get('documents'))}",
            head("method", f"{name} {arrow}", "95% interval", *verdict_heads(against)),
            tuple(
                (
                    Cell(row["method"]),
                    figure_cell(row.get(name), 3),
                    interval_cell(row.get(f"{name}_interval"), n_documents=row.get("documents")),
                    *difference_cells((row.get("differences") or {}).get(name)),
                )
                for row in rows
            ),
            (verdicts_note(against),) if arrow == "↓" else (),
        )
        for title, name, arrow in (
            ("Comprehensiveness", "comprehensiveness", "↑"),
            ("Sufficiency", "sufficiency", "↓"),
        )
    )
    return Section(
        "eraser",
        "Comprehensiveness and sufficiency",
        f"Are the most relevant words necessary, and are they sufficient? Comprehensiveness is the decrease of the "
        f"predicted class’s {quantity} when the most relevant words are deleted. Sufficiency is the decrease when "
        "only they are kept. Both are means over several shares of the words.",
        "high comprehensiveness (the words are necessary), low sufficiency (the words are sufficient)",
        "DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, ACL 2020",
        tuple(Block(table=table) for table in tables),
    )


def pointing_section(pointing: Results) -> Section:
    """Hits of the pointing game on hybrid documents."""
    rows = pointing["rows"]
    against = rows[0]["method"]
    left_out = (
        (f"{documents(pointing['discarded'])} left out: they contain no sentence of the predicted class.",)
        if pointing.get("discarded")
        else ()
    )
    table = Table(
        f"Hits in {count(pointing.get('hybrids'))} hybrid documents",
        head("method", "hit rate ↑", "hits", *verdict_heads(against)),
        tuple(
            (
                Cell(row["method"]),
                share_cell(row.get("accuracy"))._replace(
                    note=interval_cell(row.get("interval"), percent=True, n_documents=row.get("counted")).text
                ),
                Cell(count(row.get("hits")), "num", f"of {count(row.get('counted'))}"),
                *difference_cells((row.get("differences") or {}).get("accuracy")),
            )
            for row in rows
        ),
        ("Below each hit rate: its 95% bootstrap interval.", verdicts_note(against), *left_out),
    )
    bars = Drawing(Markup(bars_figure(rows, title="hit rate, with 95% intervals", uid="hits")))
    return Section(
        "pointing",
        "Pointing game on hybrid documents",
        "Is the most relevant word in a sentence of the predicted class? A hybrid document joins "
        f"{count(pointing.get('sentences'))} sentences of different documents. The model classifies it, and its "
        "predicted class is explained. The relevance of a word is summed over its occurrences. It is a hit if the "
        "most relevant occurrence of the most relevant word is in a sentence from a document of the predicted class.",
        "a high hit rate",
        "Poerner, Roth, Schütze, Evaluating neural network explanation methods using hybrid documents, ACL 2018",
        (Block(figures=(bars,), table=table),),
    )


def stability_section(rows: list[Results]) -> Section:
    """Agreement with the explanations of other models."""
    table = Table(
        "Agreement with other models’ explanations of the same documents",
        head("other model", "rank correlation ↑", "95% interval", "most relevant words shared ↑", "documents"),
        tuple(
            (
                Cell(row["model"]),
                figure_cell(row.get("rank_correlation"), 2),
                interval_cell(row.get("interval"), 2, n_documents=row.get("documents")),
                share_cell(row.get("top_overlap")),
                Cell(count(row.get("documents")), "num"),
            )
            for row in rows
        ),
    )
    return Section(
        "stability",
        "Stability across models",
        "Do other models give the same explanations? Usually these are models trained in the same way with another "
        "random seed. Differences between them are then due to chance in training.",
        "high agreement",
        "",
        (Block(table=table),),
    )


def ledger_section(rows: list[Results]) -> Section:
    """The parts of the score that no word receives."""
    table = Table(
        "Parts of the score that no word receives",
        head("absorbed by", "text:step", "mean share", "largest share"),
        tuple(
            (
                Cell(cause_name(str(row["cause"]))),
                Cell(str(row.get("step") or ""), "soft"),
                share_cell(row.get("mean_share")),
                share_cell(row.get("largest_share")),
            )
            for row in rows
        ),
    )
    return Section(
        "ledger",
        "Score breakdown",
        "How much of the score do words receive? The relevance of the words plus the parts absorbed by the model’s "
        "biases, the rule’s stabilizer and ignored words (unknown words, padding) equals the score. Each share "
        "is relative to the sum of the absolute values of all parts.",
        "small shares, so that words receive most of the score",
        "conservation of relevance: Bach et al., PLoS ONE 10(7), 2015",
        (Block(table=table),),
    )


def methods_section(rows: list[Results]) -> Section:
    """The methods, their settings and their time per document."""
    table = Table(
        "Methods and times",
        head("method", "text:name", "text:rule or settings", "time per document"),
        tuple(
            (
                Cell(row["title"]),
                Cell(row.get("method") or "", "soft"),
                Cell(row.get("rule") or "", "soft"),
                Cell(duration(row.get("seconds_per_document")), "num"),
            )
            for row in rows
        ),
    )
    return Section("methods", "Methods", "", "", "", (Block(table=table),))


SECTIONS: dict[str, tuple[str, Callable[..., Section]]] = {
    "eraser": ("comprehensiveness and sufficiency", eraser_section),
    "naopc": ("normalized AOPC", naopc_section),
    "soft": ("soft comprehensiveness and sufficiency", soft_section),
    "vectors": ("document vectors", vectors_section),
    "pointing": ("pointing game", pointing_section),
    "rationales": ("agreement with human rationales", rationales_section),
    "words": ("most relevant words of each class", words_section),
    "sanity": ("sanity check (randomized weights)", sanity_section),
    "cascade": ("cascading randomization", cascade_section),
    "stability": ("stability across models", stability_section),
    "ledger": ("score breakdown", ledger_section),
    "errors": ("likely label errors", errors_section),
    "planted-errors": ("planted label errors", planted_errors_section),
    "planted": ("planted shortcuts", planted_section),
    "roar": ("recursive ROAR", roar_section),
    "methods": ("methods and times", methods_section),
}
"""By the key in ``results.json``: the name for the list of missing measures, and the function for the section."""
