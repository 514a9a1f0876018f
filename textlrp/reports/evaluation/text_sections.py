"""Sections of the evaluation page with words in them: agreement with people, and the words of each class."""

from __future__ import annotations

from textlrp.class_words import UNSEEN
from textlrp.reports.evaluation.tables import (
    MISSING,
    Block,
    Cell,
    ClassWordTables,
    Results,
    Section,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    head,
    interval_cell,
    real,
    said,
    share_text,
    verdicts_note,
)
from textlrp.reports.numbers import decimals, number

_UNSEEN_NOTE = f"{UNSEEN} in no training document: the model knows the word by its vector alone."

LINE_WORDS = 8
"""Words named in the line of a closed class."""


_RATIONALES = {
    "average_precision": "average precision ↑",
    "auroc": "AUROC ↑",
    "pointing": "strongest marked ↑",
    "iou": "overlap (IoU) ↑",
}
_LEVELS = {
    "word": ("By words", "words", "Each distinct word counts once, with the relevance of its occurrences summed."),
    "token": ("By occurrences", "occurrences", "Each occurrence of a word counts by itself."),
    "sentence": ("By sentences", "sentences", "Sentences are ranked by the sum of the relevance of their words."),
}


def rationales_section(rationales: Results) -> Section:
    """Agreement with words that people marked."""
    return Section(
        "rationales",
        "Does it name the words that people name?",
        "People marked the words that make a document belong to its class. Average precision and AUROC ask whether "
        "marked words rank before the others (by chance: about the share of marked words, and 0.5); the third number "
        "is the share of documents where the strongest one is marked; the overlap compares as many words as were "
        "marked. All words of the text count, also those that the model does not read, so models with different "
        "vocabularies can be compared. Three baselines look at no model: late and early words first rank by "
        "position; tf × log ratio multiplies the frequency of a word in the text by the log ratio of its frequencies "
        "in the class and in the other classes of the corpus. A model may decide by other words than people would: "
        "low agreement can be the model’s fault as well as the explanation’s.",
        "high numbers",
        "DeYoung et al., ERASER, ACL 2020; pointing: Zhang et al., IJCV 2018",
        tuple(
            _rationales_block(level, skipped=0 if n else rationales.get("skipped") or 0)
            for n, level in enumerate(rationales["levels"])
        ),
    )


def _rationales_block(level: Results, *, skipped: int) -> Block:
    title, things, about = _LEVELS[level["by"]]

    def cell(row: Results, name: str) -> Cell:
        found = figure_cell(row.get(name), 3)
        ends = interval_cell((row.get("intervals") or {}).get(name), 2).text
        return found._replace(note="" if ends == MISSING else ends)

    against = level.get("against") or level["rows"][0]["method"]
    table = Table(
        f"Agreement with people {title.lower()}, {documents(level.get('documents'))}",
        head("method", *_RATIONALES.values(), f"average precision minus {against}", "95 % interval", "text:"),
        tuple(
            (
                Cell(row["method"]),
                *(cell(row, name) for name in _RATIONALES),
                *difference_cells((row.get("differences") or {}).get("average_precision")),
            )
            for row in level["rows"]
        ),
        ("Below each number, its 95 % interval.", verdicts_note(against)),
    )
    intro = [said(about)]
    if real(level.get("marked_share")) is not None:
        intro.append(said("*{}* of the {} are marked.", share_text(level["marked_share"]), things))
    if left := level.get("left_out"):
        intro.append(said("{} left out: all or none of the {} are marked.", documents(left), things))
    if skipped:
        intro.append(
            said(f"{{}} row{'' if skipped == 1 else 's'} of the file skipped: nothing is marked.", count(skipped))
        )
    return Block(title, tuple(intro), table=table)


def words_section(classes: list[Results]) -> Section:
    """The most relevant words and phrases of every class."""
    return Section(
        "words",
        "The words of each class",
        "Relevance summed over all documents, for the class that heads the list: what the model goes by, true to "
        "the topic or not. A name, a signature or an address high in a list is a shortcut that the model took.",
        "",
        "Arras et al. 2017, tables of the most relevant words",
        classes=tuple(_class_words(one) for one in classes),
    )


def _class_words(one: Results) -> ClassWordTables:
    words, phrases = one.get("words") or (), one.get("phrases") or ()
    tables = []
    for title, rows, name in (("Words", words, "word"), ("Phrases", phrases, "words")):
        if not rows:
            continue
        largest = max(abs(row["relevance"]) for row in rows)
        unseen = any(row.get("in_training") == 0 for row in rows)
        trained = any(row.get("in_training") is not None for row in rows)
        tables.append(
            Table(
                title,
                head(
                    title.lower().removesuffix("s"),
                    "relevance",
                    "documents",
                    *(["in training"] if trained else []),
                    "text:for example",
                ),
                tuple(
                    (
                        Cell(row[name], "word", UNSEEN if row.get("in_training") == 0 else ""),
                        Cell(number(row["relevance"], decimals(largest), signed=True), "num"),
                        Cell(count(row.get("documents")), "num"),
                        *([Cell(count(row.get("in_training")), "num")] if trained else []),
                        Cell(", ".join(row.get("examples") or ()), "soft example"),
                    )
                    for row in rows
                ),
                (_UNSEEN_NOTE,) if unseen else (),
            )
        )
    named = ", ".join(row["word"] + (UNSEEN if row.get("in_training") == 0 else "") for row in words[:LINE_WORDS])
    return ClassWordTables(one["label"], documents(one.get("documents")), named, tuple(tables))
