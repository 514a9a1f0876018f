"""The section about document vectors, and the sentences about what the explanatory power index (EPI) shows."""

from __future__ import annotations

from markupsafe import Markup

from textlrp.reports.charts.figures import map_figure, neighbors_figure
from textlrp.reports.evaluation.tables import (
    NO_VERDICT,
    VERDICTS,
    Block,
    Cell,
    Drawing,
    Results,
    Section,
    Sentence,
    Table,
    Word,
    count,
    difference_cells,
    figure_cell,
    finite,
    head,
    no_verdict,
    sentence,
    verdict_heads,
    verdicts_note,
)
from textlrp.reports.numbers import number

SPLITS_NOTE = (
    "Differences are paired over documents: a document counts as often as it is held out and classified correctly. "
    "All weightings have the same splits."
)


def vectors_section(vectors: Results) -> Section:
    """The explanatory power index (EPI), accuracy against K, and the maps."""
    against = vectors.get("against")
    table = Table(
        f"Explanatory power index (EPI), mean over {count(vectors.get('splits'))} random splits",
        head("weighting", "EPI ↑", "standard deviation", "best K", *(verdict_heads(against) if against else ())),
        tuple(
            (
                Cell(row["weighting"]),
                figure_cell(row.get("epi"), 4),
                figure_cell(row.get("sd"), 4, look="soft"),
                Cell(count(row.get("k")), "num"),
                *(difference_cells((row.get("differences") or {}).get("epi")) if against else ()),
            )
            for row in vectors["rows"]
        ),
        (verdicts_note(against), SPLITS_NOTE) if against else (),
    )
    curves = Drawing(Markup(neighbors_figure(vectors, uid="neighbors")))
    blocks = [Block(intro=(vectors_claim(vectors),), figures=(curves,), table=table)]
    maps = vectors.get("maps") or ()
    if maps:
        intro = sentence(
            "Documents are close together when similar words drove their predictions (PCA of the relevance-weighted "
            "document vectors). With uniform weights, they are close together when they contain similar words."
        )
        drawn = (Drawing(Markup(map_figure(one, uid=f"map{n}")), one["weighting"]) for n, one in enumerate(maps))
        blocks.append(Block("Maps of the documents", (intro,), tuple(drawn)))
    return Section(
        "vectors",
        "Document vectors",
        "Do relevant words represent the class of a document? A document vector is the sum of the document’s word "
        "vectors, weighted by relevance. Half of the documents are classified by the majority label of their K "
        "nearest neighbors in the other half. The explanatory power index (EPI) is this k-nearest-neighbor accuracy "
        "at the best K. It is high if documents of the same class have similar relevant words. TF-IDF weights use "
        "no explanation, so a weighting by relevance shows something only if its EPI is higher than that of TF-IDF.",
        "a high EPI",
        "Arras et al., “What is relevant in a text document?”, PLoS ONE 12(8), 2017",
        tuple(blocks),
    )


def vectors_claim(vectors: Results) -> Sentence:
    """Whether relevance weights do better than TF-IDF weights, in words: what the EPI is evidence for."""
    against, rows = vectors.get("against"), vectors["rows"]
    first = rows[0]
    difference = (first.get("differences") or {}).get("epi") or {}
    verdict, names = str(difference.get("verdict")), (first["weighting"], against)
    if verdict in NO_VERDICT:
        return sentence(f"No comparison of *{{}}* with {{}}: {no_verdict(difference)}.", *names)
    if verdict == "significantly better":
        return sentence(
            "*{}* weights represent the classes significantly better than {} weights, which need no explanation.",
            *names,
        )
    if verdict in VERDICTS:
        worse = "significantly better than" if verdict == "significantly worse" else "as well as"
        return sentence(
            f"*{{}}* weights, which need no explanation, do {worse} {{}} weights. So the EPI is no evidence for the "
            "explanations of this model.",
            *reversed(names),
        )
    return ()


def vectors_finding(vectors: Results) -> Sentence:
    """The highest and the lowest EPI, and what it supports."""
    indices = {
        row["weighting"]: row["epi"] for row in vectors.get("rows") or () if finite(row.get("epi")) is not None
    }
    if not indices:
        return ()
    best, least = max(indices, key=indices.__getitem__), min(indices, key=indices.__getitem__)
    pattern = (
        "K-nearest-neighbor accuracy on document vectors (explanatory power index, EPI) is highest for *{}* "
        "weighting: *{}*."
    )
    if best == least:
        return sentence(pattern, best, number(indices[best], 4))
    claim = vectors_claim(vectors)
    return (
        *sentence(
            pattern + " It is lowest for {} weighting: {}.",
            best, number(indices[best], 4), least, number(indices[least], 4),
        ),
        *((Word(" "), *claim) if claim else ()),
    )  # fmt: skip
