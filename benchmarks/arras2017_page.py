"""Write the page of ``arras2017.py``: Markdown tables with the paper's values and ours, and SVG figures."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.files.written_file import atomic_file
from textlrp.reports.charts.figures import deletion_figure, map_figure, neighbors_figure
from textlrp.reports.evaluation.vectors_section import vectors_claim

ACCURACY = {"BoW/SVM": 80.10, "CNN1": 79.79, "CNN2": 80.19, "CNN3": 79.75}
EW, SA_EW, LRP, SA = "LRP, element-wise", "squared gradient, element-wise", "LRP", "squared gradient"
POWER = {
    ("CNN1", EW): 0.8045, ("CNN1", SA_EW): 0.7924, ("CNN1", LRP): 0.7792, ("CNN1", SA): 0.7773,
    ("CNN2", EW): 0.8076, ("CNN2", SA_EW): 0.7993, ("CNN2", LRP): 0.7847, ("CNN2", SA): 0.7767,
    ("CNN3", EW): 0.8034, ("CNN3", SA_EW): 0.7931, ("CNN3", LRP): 0.7793, ("CNN3", SA): 0.7739,
    ("CNN2", "TF-IDF"): 0.6816, ("CNN2", "uniform"): 0.6208,
    ("BoW/SVM", LRP): 0.7978, ("BoW/SVM", SA): 0.7837, ("BoW/SVM", "TF-IDF"): 0.7592, ("BoW/SVM", "uniform"): 0.6669,
}  # fmt: skip
"""Explanatory power index as reported; TF-IDF and uniform weights of the nets use the paper's word2vec vectors."""

Results = Mapping[str, Any]

_TIMES = (
    "By the clock, while other work may have run at the same time: compare the rows only roughly. "
    "[speed.md](speed.md) has times that were measured side by side."
)


def write_page(
    path: Path,
    results: Mapping[str, Results],
    *,
    missing: Sequence[str],
    speed: Mapping[str, float],
    quick: bool,
) -> None:
    """Write the page, and its figures into a folder next to it."""
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_lines(results, folder, missing, speed, quick)) + "\n"
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _lines(
    results: Mapping[str, Results], folder: Path, missing: Sequence[str], speed: Mapping[str, float], quick: bool
) -> Iterator[str]:
    main = results["CNN2"]
    yield "# What is relevant in a text document? Reported and reproduced results"
    yield ""
    yield (
        "Arras, Horn, Montavon, Müller, Samek, PLoS ONE 12(8), 2017, on 20 Newsgroups by date, measured by "
        f"`python benchmarks/arras2017.py` (textlrp {main['version']}, {main['date']}). “Reported” values are the "
        "paper's. CNN1, CNN2, CNN3 and BoW/SVM follow the paper's setup: headers removed, Treebank tokens, the first "
        "400 words. The nets use **static word vectors computed from the training posts (PPMI and SVD, 300-d, "
        "standardized)** unless another source is named; the paper used Google News vectors. “Our” models are the "
        "package's defaults. Intervals are 95% bootstrap intervals over documents."
    )
    if quick:
        yield "\n**This is a quick run on the sample posts. Its results do not apply to 20 Newsgroups.**"
    if missing:
        yield f"\n**Not measured in this run: {', '.join(missing)}.**"
    yield from _accuracy(results)
    yield from _power(results, folder)
    yield from _deletion(results, folder)
    yield from _sample(results)
    yield from _eraser(results)
    yield from _pointing(results)
    yield from _words(main)
    yield from _times(results, folder.name)
    yield from [
        "",
        "## Speed of word deletion",
        "",
        f"With LRP and CNN2 on the whole test set, explaining two classes and deleting up to "
        f"{main['deletion']['steps']} words in three protocols ({speed['documents']:,.0f} documents) took "
        f"{speed['seconds']:.0f} s. A batch that computes only the changed windows is {speed['ratio']:.0f} times as "
        "fast as one forward pass per shortened text (medians of interleaved runs, equal scores).",
    ]


def _accuracy(results: Mapping[str, Results]) -> Iterator[str]:
    yield from ["", "## Test accuracy in %", "", "| model | reported | ours |", "|---|---|---|"]
    for name, found in results.items():
        yield f"| {name} | {ACCURACY.get(name, '–')} | {found['accuracy'] * 100:.2f} |"


def _power(results: Mapping[str, Results], folder: Path) -> Iterator[str]:
    yield from [
        "",
        "## Explanatory power index",
        "",
        "K-nearest-neighbor accuracy on document vectors (explanatory power index, EPI) at the best K; mean and "
        "standard deviation (sd) over ten random splits. The last column is the paired difference from TF-IDF, whose "
        "weights need no explanation, in **bold** if it is significant (paired permutation test, 5% level, Holm "
        "correction for all weightings of a model).",
        "",
        "| model | weighting | reported | ours (sd), best K | difference from TF-IDF |",
        "|---|---|---|---|---|",
    ]
    for name, found in results.items():
        for row in _vectors(found):
            reported = POWER.get((name, row["weighting"]))
            yield (
                f"| {name} | {row['weighting']} | {'–' if reported is None else f'{reported:.4f}'} | "
                f"{row['epi']:.4f} ({row['sd']:.4f}), {row['k']} | {_from_tfidf(row)} |"
            )
    main = results["CNN2"]["vectors"]
    yield from _orders(results)
    yield from [
        "",
        *_figure(folder, "neighbors", neighbors_figure(main, uid="neighbors"), "K-nearest-neighbor accuracy, CNN2"),
    ]
    for number, one_map in enumerate(main["maps"]):
        title = f"Documents on the first two principal components of their vectors ({one_map['weighting']}), CNN2"
        yield from _figure(folder, f"map{number}", map_figure(one_map, uid=f"map{number}"), title)


def _from_tfidf(row: Results) -> str:
    found = (row.get("differences") or {}).get("epi")
    if found is None:
        return "–"
    shown = f"{found['difference']:+.4f}"
    return f"**{shown}**" if found["verdict"].startswith("significantly") else shown


def _vectors(found: Results) -> Sequence[Results]:
    rows: Sequence[Results] = (found.get("vectors") or {}).get("rows", [])
    return rows


def _orders(results: Mapping[str, Results]) -> Iterator[str]:
    """Whether the weightings have the same order as in the paper."""
    yield ""
    for name, found in results.items():
        rows = {row["weighting"]: row for row in _vectors(found)}
        if not rows:
            continue
        chains = [[EW, SA_EW], [LRP, SA, "TF-IDF", "uniform"]] if EW in rows else [[LRP, SA, "TF-IDF", "uniform"]]
        broken = [
            f"{after} is better than {before} ({_above(rows[after], rows[before])})"
            for chain in chains
            for before, after in pairwise(chain)
            if rows[after]["epi"] >= rows[before]["epi"]
        ]
        claim = "".join(word.text for word in vectors_claim(found["vectors"]))
        order = f"not the paper's order: {'; '.join(broken)}." if broken else "the paper's order."
        yield f"- {name}: {order} {claim}".rstrip()


def _above(upper: Results, lower: Results) -> str:
    inside = upper["epi"] - lower["epi"] <= max(upper["sd"], lower["sd"])
    return f"{upper['epi']:.4f} and {lower['epi']:.4f}" + (", less than a standard deviation apart" if inside else "")


def _deletion(results: Mapping[str, Results], folder: Path) -> Iterator[str]:
    yield from [
        "",
        "## Word deletion",
        "",
        "Area under the accuracy curve over 50 deleted words. For correctly classified documents lower is better, "
        "for incorrectly classified documents higher. Parentheses contain the paired difference from LRP's area and "
        "its 95% interval, in **bold** if it is significant (paired permutation test with at least 20 documents, 5% "
        "level, Holm correction for all methods of a table). "
        "“random” is the mean over ten random orders for CNN2, over three for the other models.",
    ]
    for name, found in results.items():
        measured = (found.get("deletion") or {}).get("protocols", [])
        plain = [each for each in measured if not each["name"].startswith("sample-")]
        if plain:
            yield from ["", f"### {name}", "", *_areas(plain)]
    for number, protocol in enumerate(results["CNN2"]["deletion"]["protocols"][:3]):
        yield ""
        title = f"CNN2, {protocol['title']}"
        yield from _figure(folder, f"deletion{number}", deletion_figure(protocol, uid=f"deletion{number}"), title)


def _sample(results: Mapping[str, Results]) -> Iterator[str]:
    yield from ["", "## LIME and SHAP compared with the other methods, on the same sample of posts"]
    for name, found in results.items():
        measured = (found.get("deletion") or {}).get("protocols", [])
        sample = [each for each in measured if each["name"].startswith("sample-")]
        if sample:
            yield from ["", f"### {name}", "", *_areas(sample)]


def _areas(protocols: Sequence[Results]) -> Iterator[str]:
    measured = [protocol for protocol in protocols if protocol["curves"]]
    titles = [f"{each['title']} ({each['documents']:,}, {each['better']} is better)" for each in measured]
    yield f"| method | {' | '.join(titles)} |"
    yield "|---|" + "---|" * len(measured)
    for row, curve in enumerate(measured[0]["curves"] if measured else []):
        cells = []
        for protocol in measured:
            cell = f"{protocol['curves'][row]['area']:.4f}"
            different = {each["method"]: each for each in protocol["differences"]}.get(curve["method"])
            if different is not None:
                low, high = different["interval"] or (different["difference"],) * 2
                shown = f"{different['difference']:+.4f}: {low:+.4f} to {high:+.4f}"
                cell += f" (**{shown}**)" if different["verdict"].startswith("significantly") else f" ({shown})"
            cells.append(cell)
        yield f"| {curve['method']} | {' | '.join(cells)} |"


def _eraser(results: Mapping[str, Results]) -> Iterator[str]:
    measured = {name: found["eraser"] for name, found in results.items() if found.get("eraser")}
    if measured:
        yield from ["", "## Comprehensiveness (higher is better) and sufficiency (lower is better)", ""]
        yield from ["| model | method | comprehensiveness | sufficiency |", "|---|---|---|---|"]
    for name, rows in measured.items():
        for row in rows:
            yield (
                f"| {name} | {row['method']} | {row['comprehensiveness']:.3f} "
                f"({_interval(row['comprehensiveness_interval'])}) | {row['sufficiency']:.3f} "
                f"({_interval(row['sufficiency_interval'])}) |"
            )


def _pointing(results: Mapping[str, Results]) -> Iterator[str]:
    yield from [
        "",
        "## Hybrid-document pointing game",
        "",
        "Hybrid documents of ten sentences of different posts (Poerner, Roth, Schütze 2018; they report for another "
        "CNN: LRP .89, gradient × input .89, gradient L2 .79). Results vary by about 0.01 between seeds. The average "
        "of three CNNs is a single CNN too; its settings were the best on validation posts in "
        "[pointing.md](pointing.md).",
        "",
        "| model | method | share of hits | hybrid documents |",
        "|---|---|---|---|",
    ]
    for name, found in results.items():
        for row in (found.get("pointing") or {}).get("rows", []):
            hits = f"{row['accuracy']:.4f} ({_interval(row['interval'])})"
            yield f"| {name} | {row['method']} | {hits} | {row['counted']:,} |"


def _words(main: Results) -> Iterator[str]:
    yield from [
        "",
        "## The most relevant words of three classes",
        "",
        "CNN2, by relevance for the predicted class, summed over the test posts. † in no training document. Names "
        "and hosts among them are shortcuts (spurious cues) that the net learned.",
        "",
        "| class | words |",
        "|---|---|",
    ]
    for each in main.get("words") or []:
        if each["label"] in ("sci.med", "sci.space", "comp.graphics"):
            words = ", ".join(w["word"] + ("†" if w["in_training"] == 0 else "") for w in each["words"])
            yield f"| {each['label']} | {_safe(words)} |"


def _times(results: Mapping[str, Results], folder: str) -> Iterator[str]:
    yield from [
        "",
        f"Heatmaps of a sample post for several classes: [{folder}/heatmaps.html]({folder}/heatmaps.html).",
    ]
    yield from [
        "",
        "## Time per document in milliseconds",
        "",
        _TIMES,
        "",
        "| model | method | ms |",
        "|---|---|---|",
    ]
    for name, found in results.items():
        for each in found["methods"]:
            if each["seconds_per_document"] is not None:
                yield f"| {name} | {each['title']} | {each['seconds_per_document'] * 1000:.2f} |"
    seeds = [found for name, found in results.items() if name == "CNN2" or name.startswith("CNN2, seed")]
    if len(seeds) > 1:
        yield from _seeds(seeds)


def _seeds(seeds: Sequence[Results]) -> Iterator[str]:
    yield from ["", "## CNN2 over random seeds", "", f"Mean (standard deviation) over {len(seeds)} seeds.", ""]
    yield from ["| measure | mean (sd) |", "|---|---|"]
    rows = {"accuracy in %": [found["accuracy"] * 100 for found in seeds]}
    for place, row in enumerate(seeds[0]["vectors"]["rows"]):
        rows[f"explanatory power index, {row['weighting']}"] = [f["vectors"]["rows"][place]["epi"] for f in seeds]
    for place in range(3):
        protocol = seeds[0]["deletion"]["protocols"][place]
        for row, curve in enumerate(protocol["curves"]):
            areas = [f["deletion"]["protocols"][place]["curves"][row]["area"] for f in seeds]
            rows[f"area, {protocol['title']}: {curve['method']}"] = areas
    for title, values in rows.items():
        digits = 2 if "%" in title else 4
        yield f"| {title} | {np.mean(values):.{digits}f} ({np.std(values, ddof=1):.{digits}f}) |"


def _figure(folder: Path, name: str, svg: str, title: str) -> Iterator[str]:
    with atomic_file(folder / f"{name}.svg") as beside:
        beside.write_text(svg, encoding="utf-8")
    yield from [f"{title}:", "", f"![{title}]({folder.name}/{name}.svg)", ""]


def _interval(bounds: Sequence[float] | None) -> str:
    return "all equal" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
