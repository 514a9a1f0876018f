"""The section about word deletion and insertion, and the sentences that summarize it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from textlrp.reports.charts.figures import deletion_figure
from textlrp.reports.evaluation.tables import (
    NO_VERDICT,
    TEST,
    VERDICTS,
    Block,
    Cell,
    Drawing,
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
    interval_cell,
    no_verdict,
    sentence,
    share_text,
    too_few,
    verdict_heads,
    verdicts_note,
)

FINDING_STEPS = 10
"""The number of deleted words that the summary sentence reports."""

_MODES = {
    "zero": "The vector of a deleted word becomes zero; its position stays.",
    "remove": "A deleted word is removed and the gap is closed.",
    "insert": "The text is empty at first, and words are inserted one at a time.",
}
"""How a step changes a word, by the protocol's ``mode``."""

_PROTOCOLS = {
    "correct": (
        "correctly classified",
        "most relevant for the true class",
        "Words that support the true class most are deleted first. The faster accuracy falls, the better the "
        "explanation.",
    ),
    "incorrect-true": (
        "incorrectly classified",
        "that most oppose the true class",
        "Words that oppose the true class most are deleted first. The faster accuracy rises, the better the "
        "explanation.",
    ),
    "incorrect-predicted": (
        "incorrectly classified",
        "most relevant for the predicted class",
        "Words that support the incorrect prediction most are deleted first. The faster accuracy rises, the better "
        "the explanation.",
    ),
}
"""By the protocol's name: which documents, which words, and which result is better."""

_INSERTION = (
    "Words that support the true class most are inserted first. The faster accuracy rises, the better the "
    "explanation."
)


def deletion_section(deletion: Results) -> Section:
    """Curves and areas, one block per protocol."""
    steps = f", up to {count(deletion['steps'])} words" if deletion.get("steps") else ""
    size = (
        f" Only documents of at least {count(deletion['min_words'])} words are used."
        if deletion.get("min_words")
        else ""
    )
    protocols = deletion["protocols"]
    noted = next((n for n, protocol in enumerate(protocols) if protocol.get("differences")), None)
    modes = [None, *(protocol.get("mode") for protocol in protocols)]
    return Section(
        "deletion",
        "Word deletion and insertion",
        f"Does the prediction change when the most relevant words are deleted? Words are deleted one at a "
        f"time{steps}, most relevant first, and the model classifies the document again after each step. If an "
        f"explanation is faithful, a few words are enough to change the prediction.{size} The area under the "
        "accuracy curve is the mean accuracy over all steps. “random” is the mean over random orders of the words, "
        "and “reversed” is the reverse of the method’s own order.",
        "a smaller area where accuracy should fall, a larger area where it should rise",
        "Arras et al., “What is relevant in a text document?”, PLoS ONE 12(8), 2017; Samek et al., IEEE TNNLS 2017",
        tuple(
            _block(protocol, f"deletion{n}", new_mode=modes[n] != modes[n + 1], with_note=n == noted)
            for n, protocol in enumerate(protocols)
        ),
    )


def _block(protocol: Results, uid: str, *, new_mode: bool, with_note: bool) -> Block:
    curves, differences = protocol.get("curves") or (), protocol.get("differences") or ()
    mode = _MODES.get(protocol.get("mode") or "", "") if new_mode else ""
    about = [sentence("*{}*. {} {}", documents(protocol.get("documents")), _description(protocol), mode)]
    if not curves:
        return Block(protocol["title"], (*about, sentence("No document fits this protocol, so it was not measured.")))
    about += [comparison_finding(protocol), _training_remark(protocol.get("as_in_training") or {}, with_note)]
    against = differences[0]["against"] if differences else curves[0]["method"]
    by_method = {each["method"]: each for each in differences}
    heads = verdict_heads(against) if differences else ()
    table = Table(
        f"Area under the accuracy curve ({protocol['better']} is better)",
        head("method", "area", "95% interval", *heads),
        tuple(
            (
                Cell(curve["method"]),
                figure_cell(curve.get("area"), 3),
                interval_cell(curve.get("interval"), n_documents=protocol.get("documents")),
                *(difference_cells(by_method.get(curve["method"])) if differences else ()),
            )
            for curve in curves
        ),
        (verdicts_note(against),) if with_note else (),
    )
    drawing = Drawing(Markup(deletion_figure(protocol, uid=uid)))
    return Block(protocol["title"], tuple(about), (drawing,), table)


def _training_remark(as_trained: Results, in_full: bool) -> Sentence:
    """Up to how many words a deletion is like the word dropout of training; the reason is given once."""
    if not as_trained.get("steps"):
        return ()
    if not in_full:
        return sentence("Shaded: up to *{}* words, as much as word dropout in training.", as_trained["steps"])
    return sentence(
        "Shaded: up to *{}* words. In training, {} of the words of each text were replaced by the zero vector at "
        "random (word dropout), so the model has learned to classify texts with this share missing. {} deleted words "
        "are at most this share in 95% of the documents, {} in half of them. Texts with more words deleted are "
        "unlike those of training, which alone can change a prediction. Also, the words deleted here are not random.",
        *(as_trained["steps"], share_text(as_trained["word_dropout"]), as_trained["steps"], as_trained["half"]),
    )


def _description(protocol: Results) -> str:
    if protocol.get("mode") == "insert":
        return _INSERTION
    return _PROTOCOLS[protocol["name"]][2] if protocol["name"] in _PROTOCOLS else ""


def comparison_finding(protocol: Results) -> Sentence:
    """Which methods are significantly better or worse than the reference, and which are not."""
    by_verdict: dict[str, list[str]] = {}
    differences: Sequence[Results] = protocol.get("differences") or ()
    for each in differences:
        if each["method"] != "random" and not each["method"].endswith(", reversed"):
            verdict = str(each.get("verdict"))
            key = no_verdict(each) if verdict in NO_VERDICT else verdict if verdict in VERDICTS else "no verdict"
            by_verdict.setdefault(key, []).append(each["method"])
    order = [*VERDICTS, *(key for key in by_verdict if key not in VERDICTS)]
    found = [key for key in order if key in by_verdict]
    if not found:
        return ()
    parts = (f"{key}: {'*{}*' if key == 'significantly better' else '{}'}" for key in found)
    pattern = f"Compared with *{{}}* ({TEST}): " + "; ".join(parts) + "."
    return sentence(pattern, differences[0]["against"], *(", ".join(by_verdict[key]) for key in found))


def deletion_finding(protocol: Results) -> Sentence:
    """How deleting (or inserting) ten words changes accuracy, compared with ten random words."""
    curves = {curve["method"]: curve for curve in protocol.get("curves") or () if len(curve["accuracy"])}
    if not curves or protocol["name"] not in _PROTOCOLS:
        return ()
    kind, which, _ = _PROTOCOLS[protocol["name"]]
    method = next(iter(curves))
    curve = curves[method]["accuracy"]
    at = min(FINDING_STEPS, len(curve) - 1)
    start, end = finite(curve[0]), finite(curve[at])
    if start is None or end is None:
        return ()
    doing = "inserting" if protocol.get("mode") == "insert" else "deleting"
    word, document = "word" if at == 1 else "words", "document" if protocol.get("documents") == 1 else "documents"
    change = "does not change" if start == end else "lowers" if end < start else "raises"
    pattern = f"{doing.capitalize()} the {{}} {word} {which} (*{{}}*) {change} accuracy on {{}} {kind} {document} "
    values = [at, method, count(protocol.get("documents"))]
    if start == end:
        pattern, values = pattern + "(*{}*)", [*values, share_text(end)]
    else:
        pattern, values = pattern + "from {} to *{}*", [*values, share_text(start), share_text(end)]
    pattern += too_few(protocol.get("documents"))
    chance = finite(curves["random"]["accuracy"][at]) if "random" in curves else None
    if chance is not None:
        pattern, values = f"{pattern}; {doing} {{}} random {word} results in {{}}", [*values, at, share_text(chance)]
    return sentence(pattern + ".", *values)
