"""The section about normalized AOPC."""

from __future__ import annotations

from textlrp.reports.evaluation.tables import (
    Block,
    Cell,
    Results,
    Section,
    Sentence,
    Table,
    count,
    difference_cells,
    documents,
    figure_cell,
    finite,
    head,
    interval_text,
    sentence,
    too_few,
    verdicts_note,
)


def naopc_section(naopc: Results) -> Section:
    """Normalized AOPC of every method, and how the limits were found."""
    against = naopc["against"]
    table = Table(
        f"Normalized AOPC, {documents(naopc.get('documents'))}",
        head(
            "method",
            "most relevant first ↑",
            "least relevant first ↓",
            "AOPC",
            "outside",
            f"difference from {against}",
            "95% interval",
            "text:verdict",
        ),
        tuple(
            (
                Cell(row["method"]),
                figure_cell(row.get("naopc"), 3)._replace(note=interval_text(row.get("interval"))),
                figure_cell(row.get("reversed"), 3)._replace(note=interval_text(row.get("reversed_interval"))),
                figure_cell(row.get("aopc"), 3, look="soft"),
                Cell(count(row.get("outside")), "num soft"),
                *difference_cells(row.get("difference")),
            )
            for row in naopc["rows"]
        ),
        (
            "Below each normalized value: its 95% bootstrap interval. AOPC: the mean decrease, most relevant words "
            "first, before normalization. Outside: documents in which the order of the method, or its reverse, is "
            "better than the best or worse than the worst order that the search found; it then becomes the limit for "
            "all methods.",
            verdicts_note(against),
        ),
    )
    quantity = naopc.get("quantity", "probability")
    return Section(
        "naopc",
        "Normalized AOPC",
        "How close is the order of the words to the best possible one? All known words of a document are deleted one "
        f"at a time. AOPC is the mean decrease of the predicted class’s {quantity} over all steps. Its limits differ "
        "between models and texts, so AOPC alone cannot compare two models. Normalized AOPC is 0 for the worst order "
        "of the words and 1 for the best one.",
        "a high value with the most relevant words first (1 is the best order), a low value with the least relevant "
        "first",
        "Edin et al., Normalized AOPC, ACL 2025",
        (Block(intro=tuple(_intro(naopc)), table=table),),
    )


def naopc_finding(naopc: Results) -> Sentence:
    """Normalized AOPC of the reference method and of random relevance."""
    values = {row["method"]: row.get("naopc") for row in naopc.get("rows") or ()}
    method = next(iter(values), None)
    if method is None or finite(values[method]) is None:
        return ()
    pattern = "Normalized AOPC (1 is the best order of the words, 0 the worst): *{}* for *{}*"
    pattern += too_few(naopc.get("documents"))
    found = [figure_cell(values[method], 3).text, method]
    if finite(values.get("random")) is not None:
        return sentence(pattern + ", {} for random orders.", *found, figure_cell(values["random"], 3).text)
    return sentence(pattern + ".", *found)


def _intro(naopc: Results) -> list[Sentence]:
    """How the limits were found, and which documents were left out."""
    n_exact, n_all = naopc.get("exact") or 0, (naopc.get("documents") or 0) + (naopc.get("left_out") or 0)
    if n_exact == n_all:
        how = "The limits are exact, because the score is a sum over the words."
    else:
        how = (
            f"The best and the worst order were found by a beam search of width {count(naopc.get('beam_width'))}. "
            "It may miss the best order."
        )
        if n_exact:
            how += f" In {documents(n_exact)} the limits are exact, because the score is a sum over the words."
    limits = [figure_cell(naopc.get(name), 3).text for name in ("lower", "upper")]
    found = [sentence(how + " The mean limits of AOPC are {} and {}.", *limits)]
    if naopc.get("max_words"):
        found.append(sentence("Only documents of at most {} known words are used.", count(naopc["max_words"])))
    if left_out := naopc.get("left_out"):
        found.append(sentence("{} left out: all orders have the same AOPC.", documents(left_out)))
    return found
