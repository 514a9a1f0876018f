"""The section about soft comprehensiveness and sufficiency."""

from __future__ import annotations

from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Results,
    Section,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    finite,
    head,
    interval_cell,
    sentence,
    verdicts_note,
)


def soft_section(soft: Results) -> Section:
    """A table for each of the two measures, and the spread over the draws."""
    rows = soft["rows"]
    left_out = rows[0].get("n_excluded")
    spreads = [finite(row.get(f"{name}_spread")) for row in rows for name in ("comprehensiveness", "sufficiency")]
    intro = [
        sentence(
            f"Every value is a mean over {count(soft.get('draws'))} random draws. Between draws, the means of a "
            "table have a standard deviation of at most {}.",
            figure_cell(max((spread for spread in spreads if spread is not None), default=None), 4).text,
        )
    ]
    if left_out:
        intro.append(
            sentence(
                f"{{}} left out: the predicted class has no higher {rows[0].get('quantity', 'probability')} than in "
                "a text without words.",
                documents(left_out),
            )
        )
    return Section(
        "soft",
        "Soft comprehensiveness and sufficiency",
        "Does the size of relevance fit, and not only its order? Elements of the word vectors are set to zero at "
        "random. For sufficiency, each element is kept with a probability proportional to the relevance of its word; "
        "a word that opposes the predicted class is dropped. For comprehensiveness, it is dropped with that "
        "probability. Both are relative to the decrease when all words are dropped.",
        "high values of both",
        "Zhao and Aletras, Incorporating Attribution Importance for Improving Faithfulness Metrics, ACL 2023",
        (
            Block(intro=tuple(intro), table=_soft_table(soft, "comprehensiveness")),
            Block(table=_soft_table(soft, "sufficiency")),
        ),
    )


def _soft_table(soft: Results, name: str) -> Table:
    rows, against = soft["rows"], soft["against"]
    return Table(
        f"Soft {name}, {documents(rows[0].get('n_documents'))}",
        head(
            "method",
            f"{name} ↑",
            "95% interval",
            f"difference from {against}",
            "95% interval",
            "text:verdict",
        ),
        tuple(
            (
                Cell(row["method"]),
                figure_cell(row.get(name), 3),
                interval_cell(row.get(f"{name}_interval")),
                *difference_cells((row.get("differences") or {}).get(name)),
            )
            for row in rows
        ),
        (verdicts_note(against),),
    )
