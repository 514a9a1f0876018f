"""LRP of the bundled CNN on an NVIDIA GPU, compared with the compiled loops on the CPU, in under 4 minutes.

    python benchmarks/gpu.py [--device cuda] [--rounds 7] [--quick] [--page FILE]

Three things are measured. First, the tests of the repository that need a GPU, which are skipped elsewhere. Second,
how much the two devices differ on the sample posts: the largest difference of relevance, ledger and scores, relative
to sum |relevance| + sum |ledger entries| of its text and class, and the conservation error of each device. Third,
texts per second: from ids to the relevance of all classes in memory of the CPU, for texts of 100, 300 and 1,000 words
in batches of several sizes; the scores alone; and from texts to Explanations. The texts are drawn by a seed from the
words of the sample posts. Both devices take turns in each round, after one round to warm up. The table has the
median, and the smallest and largest value. No corpus is needed.

``--device cpu`` measures the CPU twice, to try the script on a machine without a GPU. ``--quick`` uses few texts.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import numpy as np
import torch
from laws import difference, score_gap
from timing import Page, cores, made_batch, scorer, seconds

import textlrp
from textlrp.errors import must_be
from textlrp.explainers.batch_relevance import relevance_of_batch
from textlrp.explainers.explain import explain_settings
from textlrp.lrp.kernels.projections import Kept
from textlrp.models.tapes import kept_projections, tracer
from textlrp.text.batches import Batch

ROOT = Path(__file__).parents[1]
RULES = ("epsilon", "alpha2-beta1", "epsilon-gamma", "epsilon-gamma-box", "arras2017")
TOLERANCES = {"float32": 1e-5, "float64": 1e-9}
"""The largest difference that rounding explains."""
CELL_SECONDS = 6.0
"""No further round of a row begins after this time."""
TEST_SECONDS = 80


class Sizes(NamedTuple):
    """What is measured: words of a text, texts of a batch, texts of a row, and sample posts that are compared."""

    lengths: tuple[int, ...] = (100, 300, 1000)
    batches: tuple[int, ...] = (16, 64, 256, 1024)
    texts: int = 1024
    posts: int = 80


QUICK = Sizes(lengths=(20, 50), batches=(4,), texts=8, posts=3)
Runs = tuple[Callable[[], object], Callable[[], object]]


def drawn_texts(model: Any, posts: Sequence[str], count: int, length: int) -> list[np.ndarray]:
    """Return ``count`` arrays of ``length`` word ids, drawn from the words of the posts."""
    words = model.encode(list(posts)).words
    return list(np.random.default_rng(length).choice(words, size=(count, length)))


def batches_of_size(texts: Sequence[np.ndarray], size: int) -> list[Batch]:
    return [made_batch(texts[begin : begin + size]) for begin in range(0, len(texts), size)]


def explaining(
    model: Any, rule: str | None, device: str, batches: Sequence[Batch], kept: Kept
) -> Callable[[], object]:
    """A function that explains all classes of the batches; on the CPU with projections computed in advance."""
    settings = explain_settings(model, rule, "lrp", device=device)
    if device == "cpu":
        settings = settings._replace(trace=tracer(model, kept=kept))
    return lambda: [relevance_of_batch(model, batch, "all", None, settings) for batch in batches]


def scoring(model: Any, device: str, batches: Sequence[Batch], kept: Kept) -> Callable[[], object]:
    if device == "cpu":
        one = scorer(model, kept)
        return lambda: [one(batch) for batch in batches]
    trace = tracer(model, device=device)
    return lambda: [trace(batch).scores.cpu() for batch in batches]


def rates(runs: Runs, count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Texts per second of two functions in each round, after one round to warm up."""
    start = time.perf_counter()
    found: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for run, column in zip(runs, found, strict=True):
            taken = seconds(run)
            if round_ > 0:
                column.append(count / taken)
        if round_ >= 1 and time.perf_counter() - start > CELL_SECONDS:
            break
    return found


def spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return f"{statistics.median(ordered):,.0f} ({ordered[0]:,.0f} to {ordered[-1]:,.0f})"


def add_rates(page: Page, name: str, runs: Runs, count: int, rounds: int) -> None:
    cpu, gpu = rates(runs, count, rounds)
    page.row(name, "texts/s", spread(cpu), spread(gpu), f"{statistics.median(gpu) / statistics.median(cpu):.2f} ×")


def gpu_tests() -> tuple[str, bool]:
    """Run the tests that need a GPU; return their outcomes as text, and whether none failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-k", "gpu", "--junit-xml", str(report)]
        try:
            subprocess.run(
                [*command, "tests/lrp/test_device.py"], cwd=ROOT, capture_output=True, timeout=TEST_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"not finished in {TEST_SECONDS} s", False
        if not report.is_file():
            return "not run: install pytest", False
        suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    tests, *others = (int(suite.get(name, "0")) for name in ("tests", "skipped", "failures", "errors"))
    skipped, failed = others[0], others[1] + others[2]
    return f"{tests - skipped - failed} passed, {failed} failed, {skipped} skipped", failed == 0 and tests > 0


def add_differences(page: Page, model: Any, posts: Sequence[str], device: str) -> bool:
    """Add a row for each rule and dtype; return whether float64 agrees to rounding error."""
    agree = True
    for dtype, tolerance in TOLERANCES.items():
        for rule in RULES:
            here, there = (
                list(textlrp.explain(model, posts, target="all", rule=rule, dtype=dtype, device=place))
                for place in ("cpu", device)
            )
            found = [difference(one, other) for one, other in zip(there, here, strict=True)]
            above = sum(each > tolerance for each in found)
            agree &= dtype == "float32" or above == 0
            page.row(
                f"largest difference from the CPU, `{rule}`, {dtype}", "relative", "–",
                f"{max(found):.1e} (median {statistics.median(found):.1e})",
                f"{above} of {len(found)} texts above {tolerance:g}",
            )  # fmt: skip
            errors = [max(map(score_gap, each)) for each in (here, there)]
            name = f"largest conservation error, `{rule}`, {dtype}"
            page.row(name, "relative", *(f"{error:.1e}" for error in errors), "")
    return agree


def add_speed(page: Page, model: Any, posts: Sequence[str], device: str, sizes: Sizes, rounds: int) -> None:
    def on_both(make: Callable[[str], Callable[[], object]]) -> Runs:
        return make("cpu"), make(device)

    kept = kept_projections(model)
    assert kept is not None
    for length in sizes.lengths:
        texts = drawn_texts(model, posts, sizes.texts, length)
        for size in sizes.batches:
            batches = batches_of_size(texts, size)
            runs = on_both(lambda place, batches=batches: explaining(model, None, place, batches, kept))
            add_rates(page, f"explain all classes, {length:,} words, batches of {size:,}", runs, len(texts), rounds)
        runs = on_both(lambda place, batches=batches: scoring(model, place, batches, kept))
        add_rates(page, f"scores only, {length:,} words, batches of {size:,}", runs, len(texts), rounds)
    texts = drawn_texts(model, posts, sizes.texts, sizes.lengths[1])
    batches = batches_of_size(texts, sizes.batches[-1])
    for rule in RULES[1:3]:
        name = f"explain all classes by `{rule}`, {sizes.lengths[1]:,} words, batches of {sizes.batches[-1]:,}"
        runs = on_both(lambda place, rule=rule: explaining(model, rule, place, batches, kept))
        add_rates(page, name, runs, len(texts), rounds)
    for what, some in (("sample posts in one call", list(posts)), ("one sample post per call", posts[0])):
        runs = on_both(
            lambda place, some=some: lambda: list(_as_list(textlrp.explain(model, some, target="all", device=place)))
        )
        add_rates(page, f"`textlrp.explain`, {what}", runs, 1 if isinstance(some, str) else len(some), rounds)


def _as_list(explained: Any) -> Iterable[Any]:
    return [explained] if isinstance(explained, textlrp.Explanation) else explained


def machine(device: str) -> str:
    """One line with the hardware and the versions."""
    about = [f"textlrp {textlrp.__version__}", f"torch {torch.__version__}", f"{cores()} CPU cores"]
    if device == "cpu":
        return "; ".join([*about, "no GPU: both columns are the CPU"])
    properties = torch.cuda.get_device_properties(device)
    about += [f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB", f"CUDA {torch.version.cuda}"]
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.split("\n")[0].strip()
        about.append(f"driver {driver}")
    return "; ".join(about)


def check_device(device: str) -> None:
    """Exit with code 2 and one sentence if torch cannot use the device."""
    try:
        kind = torch.device(device).type
        if kind == "cuda" and torch.cuda.is_available():
            torch.zeros(1, device=device)
            return
        if kind == "cpu":
            return
    except (RuntimeError, AssertionError):
        pass
    what = "an NVIDIA GPU that torch can use here, such as 'cuda'"
    hint = "Install torch with CUDA, or pass --device cpu to try the script."
    print(must_be("device", what, device, hint), file=sys.stderr)
    raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="device to measure: cuda, cuda:1 or cpu")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each row, at least 1")
    parser.add_argument("--quick", action="store_true", help="few and short texts, to try the script")
    parser.add_argument("--page", type=Path, help="also write the table to this file")
    options = parser.parse_args(arguments)
    check_device(options.device)
    start, sizes, page = time.perf_counter(), QUICK if options.quick else Sizes(), Page()
    model = textlrp.load("20newsgroups-cnn")
    posts = textlrp.load_sample_posts("test").texts[: sizes.posts]
    page.log(machine(options.device))
    page.log()
    other = "CPU again" if options.device == "cpu" else options.device
    page.row("measurement", "unit", "CPU", other, f"{other} compared with the CPU")
    page.row(*["---"] * 5)
    outcomes, passed = gpu_tests()
    page.row("tests that need a GPU", "tests", "–", outcomes, "")
    passed &= add_differences(page, model, posts, options.device)
    on_gpu = torch.device(options.device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(options.device)
    add_speed(page, model, posts, options.device, sizes, max(1, options.rounds))
    peak = f"{torch.cuda.max_memory_allocated(options.device) / 2**20:,.0f}" if on_gpu else "–"
    page.row("most memory in use by tensors during these rows", "MiB", "–", peak, "")
    page.row("whole run", "s", f"{time.perf_counter() - start:.0f}", "", "")
    if options.page:
        options.page.write_text("\n".join(page.lines) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
