"""The sections of the evaluation page, one a measure. Open it to add the section of a measure."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from textlrp.reports.balance import CAUSES
from textlrp.reports.charts.figures import bars_figure, map_figure, neighbors_figure
from textlrp.reports.evaluation.tables import (
    MISSING,
    Block,
    Cell,
    Drawing,
    Results,
    Section,
    Table,
    count,
    documents,
    duration,
    figure_cell,
    head,
    interval_cell,
    said,
    share_cell,
)
from textlrp.reports.evaluation.text_sections import rationales_section, words_section


def eraser_section(rows: list[Results]) -> Section:
    """Comprehensiveness and sufficiency."""
    of = rows[0].get("of", "probability")
    table = Table(
        f"Mean fall of the {of} of the predicted class, {documents(rows[0].get('documents'))}",
        head("method", "comprehensiveness ↑", "95 % interval", "sufficiency ↓", "95 % interval"),
        tuple(
            (
                Cell(row["method"]),
                figure_cell(row.get("comprehensiveness"), 3),
                interval_cell(row.get("comprehensiveness_interval")),
                figure_cell(row.get("sufficiency"), 3),
                interval_cell(row.get("sufficiency_interval")),
            )
            for row in rows
        ),
    )
    return Section(
        "eraser",
        "Are the words needed, and are they enough?",
        f"Comprehensiveness: how far the {of} of the answer falls when the most relevant words are taken away. "
        "Sufficiency: how far it falls when only they are kept. Both are means over several shares of the words.",
        "a high comprehensiveness (the words were needed), a low sufficiency (the words are enough)",
        "DeYoung et al., ERASER: A Benchmark to Evaluate Rationalized NLP Models, ACL 2020",
        (Block(table=table),),
    )


def vectors_section(vectors: Results) -> Section:
    """The explanatory power index, accuracy against K, and the maps."""
    table = Table(
        f"Explanatory power index, mean over {count(vectors.get('splits'))} random halves",
        head("weighting", "index ↑", "sd", "best K"),
        tuple(
            (
                Cell(row["weighting"]),
                figure_cell(row.get("epi"), 4),
                figure_cell(row.get("sd"), 4, look="soft"),
                Cell(count(row.get("k")), "num"),
            )
            for row in vectors["rows"]
        ),
    )
    curves = Drawing(Markup(neighbors_figure(vectors, uid="neighbors")))
    blocks = [Block(figures=(curves,), table=table)]
    maps = vectors.get("maps") or ()
    if maps:
        intro = said(
            "A map lays documents with similar vectors near each other (the first two principal components). "
            "Groups that stand apart are groups that the model’s words tell apart."
        )
        drawn = (Drawing(Markup(map_figure(one, uid=f"map{n}")), one["weighting"]) for n, one in enumerate(maps))
        blocks.append(Block("Maps of the documents", (intro,), tuple(drawn)))
    return Section(
        "vectors",
        "Do the relevant words tell the topics apart?",
        "The word vectors of a document are added up, each weighted by its relevance. If the relevance lies on "
        "the words that carry the topic, documents of one topic come to lie near each other, and the labels of a "
        "document’s nearest neighbors give away its own. The index is the accuracy of that guess at the best "
        "number of neighbors K.",
        "a high index",
        "Arras et al., “What is relevant in a text document?”, PLoS ONE 12(8), 2017",
        tuple(blocks),
    )


def pointing_section(pointing: Results) -> Section:
    """Hits of the hybrid-document pointing game."""
    rows = pointing["rows"]
    table = Table(
        f"Hits in {count(pointing.get('hybrids'))} glued documents",
        head("method", "hits ↑", "95 % interval", "hits", "of"),
        tuple(
            (
                Cell(row["method"]),
                share_cell(row.get("accuracy")),
                Cell(share_cell(0.0, row.get("interval")).note or MISSING, "num soft"),
                Cell(count(row.get("hits")), "num"),
                Cell(count(row.get("counted")), "num"),
            )
            for row in rows
        ),
        (f"{documents(pointing['discarded'])} left out: no sentence of the predicted class in them.",)
        if pointing.get("discarded")
        else (),
    )
    bars = Drawing(Markup(bars_figure(rows, title="share of hits, with 95 % intervals", uid="hits")))
    return Section(
        "pointing",
        "Does the strongest word come from the right sentence?",
        f"{count(pointing.get('sentences'))} sentences of different documents are glued together, and the model "
        "classifies the whole. The relevance of the occurrences of each word is summed. A hit: the most relevant "
        "occurrence of the strongest word is in a sentence of a document of the predicted class.",
        "many hits",
        "Poerner, Roth, Schütze, Evaluating neural network explanation methods using hybrid documents, ACL 2018",
        (Block(figures=(bars,), table=table),),
    )


def sanity_section(sanity: Results) -> Section:
    """Rank correlation with explanations of randomized weights."""
    table = Table(
        f"Agreement with the explanation of a randomized model, {documents(sanity.get('documents'))}",
        head("layer randomized", "rank correlation", "95 % interval"),
        tuple(
            (Cell(row["layer"]), figure_cell(row.get("rank_correlation"), 2), interval_cell(row.get("interval"), 2))
            for row in sanity["rows"]
        ),
    )
    return Section(
        "sanity",
        "Does it depend on what the model learned?",
        "The weights of a layer are replaced by random ones and the documents explained anew. An explanation of "
        "the model, and not of the text alone, must then look different.",
        "a rank correlation near 0",
        "Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018",
        (Block(table=table),),
    )


def stability_section(rows: list[Results]) -> Section:
    """Agreement between models that differ by their seed."""
    table = Table(
        "Agreement with other models’ explanations of the same documents",
        head("other model", "rank correlation ↑", "95 % interval", "strongest words shared ↑", "documents"),
        tuple(
            (
                Cell(row["model"]),
                figure_cell(row.get("rank_correlation"), 2),
                interval_cell(row.get("interval"), 2),
                share_cell(row.get("top_overlap")),
                Cell(count(row.get("documents")), "num"),
            )
            for row in rows
        ),
    )
    return Section(
        "stability",
        "Would another training have said the same?",
        "Models trained alike but from another random start explain the same documents. What differs between "
        "them is an accident of training.",
        "high agreement",
        "",
        (Block(table=table),),
    )


def ledger_section(rows: list[Results]) -> Section:
    """Where the score went that no word received."""
    table = Table(
        "Part of the score that reached no word",
        head("taken by", "text:at", "mean share", "largest share"),
        tuple(
            (
                Cell(CAUSES.get(str(row["cause"]), str(row["cause"]))),
                Cell(str(row.get("step") or ""), "soft"),
                share_cell(row.get("mean_share")),
                share_cell(row.get("largest_share")),
            )
            for row in rows
        ),
    )
    return Section(
        "ledger",
        "Where the score went",
        "The relevance of all words and these parts add up to the score. What is not on the words was taken by "
        "the model’s biases, by the rule’s stabilizer, or by places where no word stands.",
        "small shares: more of the score is told in words",
        "conservation of relevance: Bach et al., PLoS ONE 10(7), 2015",
        (Block(table=table),),
    )


def methods_section(rows: list[Results]) -> Section:
    """What was compared, and how long it takes."""
    table = Table(
        "Methods",
        head("method", "text:kind", "text:rule or settings", "time a document"),
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
    return Section("methods", "What was compared", "", "", "", (Block(table=table),))


SECTIONS: dict[str, tuple[str, Callable[..., Section]]] = {
    "eraser": ("comprehensiveness and sufficiency", eraser_section),
    "vectors": ("document vectors", vectors_section),
    "pointing": ("the pointing game", pointing_section),
    "rationales": ("agreement with people’s rationales", rationales_section),
    "words": ("the words of each class", words_section),
    "sanity": ("randomized weights", sanity_section),
    "stability": ("stability under seeds", stability_section),
    "ledger": ("the ledger of the score", ledger_section),
    "methods": ("times", methods_section),
}
"""By the key in the results: what the measure is called in a list, and what makes its section."""
