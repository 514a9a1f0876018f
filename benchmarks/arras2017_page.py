"""The page of ``arras2017.py``: results as Markdown tables, the paper's figures beside ours, and SVG files."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.files.written_file import atomic_file
from textlrp.reports.charts.figures import deletion_figure, map_figure, neighbors_figure

ACCURACY = {"BoW/SVM": 80.10, "CNN1": 79.79, "CNN2": 80.19, "CNN3": 79.75}
EW, SA_EW, LRP, SA = "LRP, element-wise", "squared gradient, element-wise", "LRP", "squared gradient"
POWER = {
    ("CNN1", EW): 0.8045, ("CNN1", SA_EW): 0.7924, ("CNN1", LRP): 0.7792, ("CNN1", SA): 0.7773,
    ("CNN2", EW): 0.8076, ("CNN2", SA_EW): 0.7993, ("CNN2", LRP): 0.7847, ("CNN2", SA): 0.7767,
    ("CNN3", EW): 0.8034, ("CNN3", SA_EW): 0.7931, ("CNN3", LRP): 0.7793, ("CNN3", SA): 0.7739,
    ("CNN2", "TF-IDF"): 0.6816, ("CNN2", "uniform"): 0.6208,
    ("BoW/SVM", LRP): 0.7978, ("BoW/SVM", SA): 0.7837, ("BoW/SVM", "TF-IDF"): 0.7592, ("BoW/SVM", "uniform"): 0.6669,
}  # fmt: skip
"""As reported; the paper's word2vec vectors for the nets' TF-IDF and uniform."""

Results = Mapping[str, Any]


def write_page(
    path: Path,
    results: Mapping[str, Results],
    *,
    missing: Sequence[str],
    speed: Mapping[str, float],
    quick: bool,
) -> None:
    """Write the page and, in a folder beside it, its figures."""
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_lines(results, folder, missing, speed, quick)) + "\n"
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _lines(
    results: Mapping[str, Results], folder: Path, missing: Sequence[str], speed: Mapping[str, float], quick: bool
) -> Iterator[str]:
    main = results["CNN2"]
    yield "# What is relevant in a text document? The paper's tables, and ours"
    yield ""
    yield (
        "Arras, Horn, Montavon, Müller, Samek, PLoS ONE 12(8), 2017, on 20 Newsgroups by date, measured by "
        f"`python benchmarks/arras2017.py` (textlrp {main['version']}, {main['date']}). “Reported” is the paper's "
        "figure. CNN1, CNN2, CNN3 and BoW/SVM follow its set-up: headers cut, Treebank tokens, the first 400 words. "
        "The nets read **static word vectors made of the training posts (PPMI and SVD, 300-d, standardized)** "
        "unless another source is named; the paper had Google News vectors. “Our” models are the package's defaults. "
        "Intervals are 95 %, bootstrap over documents."
    )
    if quick:
        yield "\n**A quick run on the sample posts: these figures say nothing about 20 Newsgroups.**"
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
        f"One method (LRP), CNN2, the whole test set: explaining for two classes and deleting up to "
        f"{main['deletion']['steps']} words under three protocols, {speed['documents']:,.0f} documents, took "
        f"{speed['seconds']:.0f} s. Along the windows, in a batch, it is {speed['ratio']:.0f} times as fast as a "
        "forward pass for each shortened text (medians of interleaved runs, same numbers).",
    ]


def _accuracy(results: Mapping[str, Results]) -> Iterator[str]:
    yield from ["", "## Test accuracy, %", "", "| model | reported | ours |", "|---|---|---|"]
    for name, found in results.items():
        yield f"| {name} | {ACCURACY.get(name, '–')} | {found['accuracy'] * 100:.2f} |"


def _power(results: Mapping[str, Results], folder: Path) -> Iterator[str]:
    yield from [
        "",
        "## Explanatory power index",
        "",
        "Accuracy of the K nearest neighbors among document vectors, best K; mean (sd) of ten random halves.",
        "",
        "| model | weighting | reported | ours (sd), K |",
        "|---|---|---|---|",
    ]
    for name, found in results.items():
        for row in _vectors(found):
            reported = POWER.get((name, row["weighting"]))
            yield (
                f"| {name} | {row['weighting']} | {'–' if reported is None else f'{reported:.4f}'} | "
                f"{row['epi']:.4f} ({row['sd']:.4f}), {row['k']} |"
            )
    main = results["CNN2"]["vectors"]
    yield from _orders(results)
    yield from ["", *_figure(folder, "neighbors", neighbors_figure(main, uid="neighbors"), "KNN accuracy, CNN2")]
    for number, one_map in enumerate(main["maps"]):
        title = f"Documents by their vectors ({one_map['weighting']}), CNN2, first two principal axes"
        yield from _figure(folder, f"map{number}", map_figure(one_map, uid=f"map{number}"), title)


def _vectors(found: Results) -> Sequence[Results]:
    rows: Sequence[Results] = (found.get("vectors") or {}).get("rows", [])
    return rows


def _orders(results: Mapping[str, Results]) -> Iterator[str]:
    """Whether the paper's order of the weightings holds."""
    yield ""
    for name, found in results.items():
        rows = {row["weighting"]: row for row in _vectors(found)}
        if not rows:
            continue
        chains = [[EW, SA_EW], [LRP, SA, "TF-IDF", "uniform"]] if EW in rows else [[LRP, SA, "TF-IDF", "uniform"]]
        broken = [
            f"{after} is above {before} ({_above(rows[after], rows[before])})"
            for chain in chains
            for before, after in pairwise(chain)
            if rows[after]["epi"] >= rows[before]["epi"]
        ]
        yield f"- {name}: the paper's order " + (f"does not hold: {'; '.join(broken)}." if broken else "holds.")


def _above(upper: Results, lower: Results) -> str:
    inside = upper["epi"] - lower["epi"] <= max(upper["sd"], lower["sd"])
    return f"{upper['epi']:.4f} to {lower['epi']:.4f}" + (", less than a standard deviation" if inside else "")


def _deletion(results: Mapping[str, Results], folder: Path) -> Iterator[str]:
    yield from [
        "",
        "## Word deletion",
        "",
        "Area under the accuracy curve over 50 deleted words. Right documents: lower is better; wrong documents: "
        "higher. In brackets the paired difference to LRP's area; **bold** where its interval excludes 0 "
        "and there are at least 20 documents. Random: the mean of ten orders for CNN2, of three for the others.",
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
    yield from ["", "## LIME and SHAP beside the others, on the same posts"]
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
                low, high = different["interval"]
                says = f"{different['difference']:+.4f}: {low:+.4f} to {high:+.4f}"
                cell += f" (**{says}**)" if different["verdict"] in ("better", "worse") else f" ({says})"
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
        "Ten sentences of different posts glued together (Poerner, Roth, Schütze 2018; reported there for another "
        "CNN: LRP .89, gradient × input .89, gradient L2 .79). A hundredth more or less is that of another seed; the "
        "average of three CNNs, one CNN as well, has the settings that [pointing.py](pointing.md) found best on "
        "validation posts.",
        "",
        "| model | method | hits | of |",
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
        "CNN2, by summed relevance for the predicted class over the test posts; † never seen in training. Names and "
        "hosts among them are shortcuts that the net took.",
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
        f"Heatmaps of a sample post under several classes: [{folder}/heatmaps.html]({folder}/heatmaps.html).",
    ]
    yield from ["", "## Time a document, milliseconds", "", "| model | method | ms |", "|---|---|---|"]
    for name, found in results.items():
        for each in found["methods"]:
            if each["seconds_per_document"] is not None:
                yield f"| {name} | {each['title']} | {each['seconds_per_document'] * 1000:.2f} |"
    seeds = [found for name, found in results.items() if name == "CNN2" or name.startswith("CNN2, seed")]
    if len(seeds) > 1:
        yield from _seeds(seeds)


def _seeds(seeds: Sequence[Results]) -> Iterator[str]:
    yield from ["", "## CNN2 over its seeds", "", f"{len(seeds)} seeds, mean (standard deviation).", ""]
    yield from ["| what | mean (sd) |", "|---|---|"]
    rows = {"accuracy, %": [found["accuracy"] * 100 for found in seeds]}
    for place, row in enumerate(seeds[0]["vectors"]["rows"]):
        rows[f"explanatory power, {row['weighting']}"] = [f["vectors"]["rows"][place]["epi"] for f in seeds]
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


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
