"""The sections about likely label errors, and about how well rankings find planted ones."""

from __future__ import annotations

from collections.abc import Sequence

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
    head,
    interval_cell,
    sentence,
    share_text,
    verdict_heads,
    verdicts_note,
)
from textlrp.reports.numbers import number


def errors_section(errors: Results) -> Section:
    """The documents whose given label is most likely wrong, with the words that oppose it."""
    rows, known = errors["rows"], errors.get("documents") or 0
    about = sentence(
        "The prediction is not the given label for *{}* of {}. The {} with the largest difference are listed.",
        count(errors.get("incorrect")), documents(known), count(len(rows)),
    )  # fmt: skip
    table = Table(
        "Most likely label errors first",
        head(
            "document", "text:given label", "text:predicted", "score difference",
            "text:words that oppose the given label", "text:words that support it",
        ),
        tuple(
            (
                Cell(row["document_id"], "example"),
                Cell(row["given"]),
                Cell(row["predicted"]),
                figure_cell(row.get("margin"), 2, signed=True),
                Cell(_word_list(row.get("opposing") or ()), "words"),
                Cell(_word_list(row.get("supporting") or ()), "words"),
            )
            for row in rows
        ),
        (
            f"Score difference: score of the given label minus the highest score of the other labels. The words are "
            f"those with the most relevance ({errors.get('method') or ''}) for this difference.",
        ),
    )  # fmt: skip
    return Section(
        "errors",
        "Likely label errors",
        "Which labels of the corpus may be wrong? A document whose score is much higher for another label either has "
        "a wrong label, or the model is wrong. The words show which: read those that oppose the given label, and "
        "decide. If the model was trained on these documents, it has learned their wrong labels too, and few are "
        "found.",
        "",
        "Northcutt et al., Confident Learning, JAIR 70, 2021 (ranking by scores)",
        (Block("", (about,), table=table),),
    )


def _word_list(words: Sequence[Results]) -> str:
    return ", ".join(f"{each['word']}\u00a0{number(each['relevance'], 2, signed=True)}" for each in words)


def planted_errors_section(planted: Results) -> Section:
    """AUROC and precision of each ranking on planted label errors."""
    rows = planted["rows"]
    against = rows[0]["method"]
    definitions = planted.get("definitions") or {}
    tables = tuple(
        Table(
            f"{title}, {count(planted.get('planted'))} planted errors in {documents(planted.get('documents'))}",
            head("ranking", f"{short} ↑", "95% interval", *verdict_heads(against)),
            tuple(
                (
                    Cell(row["method"], "", definitions.get(row["method"], "") if short == "AUROC" else ""),
                    figure_cell(row.get(name), 3),
                    interval_cell(row.get(f"{name}_interval"), n_documents=planted.get("planted")),
                    *difference_cells((row.get("differences") or {}).get(name)),
                )
                for row in rows
            ),
            (verdicts_note(against),) if short != "AUROC" else (),
        )
        for title, short, name in (
            ("Area under the ROC curve", "AUROC", "auroc"),
            ("Share of planted errors among as many most suspicious documents", "precision", "precision"),
        )
    )
    return Section(
        "planted-errors",
        "Planted label errors",
        f"How well do scores and relevance find wrong labels? {share_text(planted.get('share') or 0.0)} of the "
        f"documents get a random other label. The model is trained anew {count(planted.get('folds'))} times, "
        "each time without the documents that it then ranks by suspicion. AUROC is the probability that a planted "
        "error is more suspicious than another document. Precision is the share of planted errors among the most "
        "suspicious documents, as many as were planted. Random suspicion reaches 0.5 and the share of errors. "
        "Real label errors are less random than planted ones, and harder to find.",
        "high values",
        "",
        tuple(Block(table=table) for table in tables),
    )
