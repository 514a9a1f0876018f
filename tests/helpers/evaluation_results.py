"""Synthetic results of an evaluation, in the form of ``results.json``, for tests of the page."""

from __future__ import annotations

from typing import Any

import numpy as np

_LABELS = (
    "alt.atheism comp.graphics comp.os.ms-windows.misc comp.sys.ibm.pc.hardware comp.sys.mac.hardware comp.windows.x "
    "misc.forsale rec.autos rec.motorcycles rec.sport.baseball rec.sport.hockey sci.crypt sci.electronics sci.med "
    "sci.space soc.religion.christian talk.politics.guns talk.politics.mideast talk.politics.misc talk.religion.misc"
)
LABELS = _LABELS.split()
METHODS = (
    ("LRP epsilon", "lrp", "Epsilon(epsilon=1e-06, bias='absorb')", 0.00041, 1.00),
    ("LRP gamma", "lrp", "Gamma(gamma=0.25)", 0.0016, 0.97),
    ("gradient × input", "gradient-x-input", "", 0.0021, 0.985),
    ("integrated gradients", "integrated-gradients", "steps=50", 0.087, 0.99),
    ("occlusion", "occlusion", "", 0.21, 1.04),
    ("squared gradient", "gradient", "squared", 0.002, 0.72),
    ("Grad-CAM", "grad-cam", "", 0.0019, 0.80),
    ("SHAP", "shap", "nsamples=500", 3.2, 0.93),
    ("LIME", "lime", "samples=1000", 6.4, 0.9),
)
STEPS = 50
TITLES = (
    "correctly classified documents: delete the words most relevant for the true class",
    "incorrectly classified documents: delete the words that most oppose the true class",
    "incorrectly classified documents: delete the words most relevant for the predicted class",
    "correctly classified documents: remove the words most relevant for the true class and close the gap",
    "correctly classified documents: insert the words most relevant for the true class into an empty text",
)


def make_results(*, documents: int = 7532, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """Results with all parts; ``changed`` replaces parts by their key."""
    random = np.random.default_rng(seed)
    results: dict[str, Any] = {
        "version": "0.2.0",
        "model": "cnn-0123abcd4567",
        "model_name": "20newsgroups-cnn",
        "kind": "CNNClassifier",
        "corpus": "20newsgroups test",
        "documents": documents,
        "labels": list(LABELS),
        "seed": seed,
        "date": "2026-11-24",
        "accuracy": 0.812,
        "notes": ["LIME and SHAP were measured on a sample of 100 documents, drawn with seed 0."],
        "methods": [
            {"title": title, "method": method, "rule": rule, "seconds_per_document": seconds}
            for title, method, rule, seconds, _ in METHODS
        ],
        "deletion": {
            "steps": STEPS,
            "min_words": 100,
            "mode": "zero",
            "protocols": [
                protocol("correct", TITLES[0], 3100, random),
                protocol("incorrect-true", TITLES[1], 940, random),
                protocol("incorrect-predicted", TITLES[2], 940, random),
                protocol("correct", TITLES[3], 3100, random, mode="remove"),
                protocol("correct", TITLES[4], 3100, random, mode="insert"),
            ],
        },
        "eraser": [
            {
                "method": title,
                "comprehensiveness": 0.42 * good,
                "comprehensiveness_interval": around(0.42 * good, 0.012),
                "sufficiency": 0.08 / good,
                "sufficiency_interval": around(0.08 / good, 0.006),
                "quantity": "probability",
                "documents": 500,
                "differences": {
                    "comprehensiveness": difference_to(0.42 * (good - 1), 500),
                    "sufficiency": difference_to(0.08 * (1 / good - 1), 500),
                },
            }
            for title, *_, good in METHODS
        ],
        "naopc": {
            "documents": 498,
            "left_out": 2,
            "max_words": 50,
            "beam_width": 5,
            "exact": 3,
            "quantity": "probability",
            "lower": -0.12,
            "upper": 0.77,
            "against": METHODS[0][0],
            "rows": [
                {
                    "method": title,
                    "naopc": 0.93 * good**0.5,
                    "interval": around(0.93 * good**0.5, 0.02),
                    "reversed": 0.01 / good,
                    "reversed_interval": around(0.01 / good, 0.004),
                    "aopc": 0.7 * good,
                    "outside": 1,
                    **({} if n == 0 else {"difference": difference(good - 1)}),
                }
                for n, (title, *_, good) in enumerate(METHODS)
            ],
        },
        "soft": {
            "draws": 5,
            "against": METHODS[0][0],
            "rows": [
                {
                    "method": title,
                    "comprehensiveness": 0.55 * good,
                    "comprehensiveness_interval": around(0.55 * good, 0.06),
                    "comprehensiveness_spread": 0.0047,
                    "sufficiency": 0.94 * good**0.5,
                    "sufficiency_interval": around(0.94 * good**0.5, 0.02),
                    "sufficiency_spread": 0.0016,
                    "quantity": "probability",
                    "n_documents": 97,
                    "n_excluded": 3,
                    **(
                        {}
                        if n == 0
                        else {
                            "differences": {
                                name: difference(good - 1) for name in ("comprehensiveness", "sufficiency")
                            }
                        }
                    ),
                }
                for n, (title, *_, good) in enumerate(METHODS)
            ],
        },
        "vectors": {"splits": 10, "against": "TF-IDF", "rows": neighbors(random), "maps": maps(documents, random)},
        "pointing": {
            "hybrids": 1000,
            "discarded": 30,
            "sentences": 10,
            "rows": [
                {
                    "method": title,
                    "accuracy": 0.91 * good**0.5 if title != "occlusion" else 0.9,
                    "interval": around(0.91 * good**0.5 if title != "occlusion" else 0.9, 0.018),
                    "hits": int(970 * 0.91 * good**0.5),
                    "counted": 970,
                    "differences": {"accuracy": difference_to(0.91 * (good**0.5 - 1), 970)},
                }
                for title, *_, good in METHODS[:7]
            ]
            + [{"method": "random", "accuracy": 0.21, "interval": [0.186, 0.236], "hits": 204, "counted": 970}],
        },
        "rationales": {
            "texts": 25,
            "skipped": 2,
            "levels": [rationales_level(by, size) for by, size in (("word", 1.1), ("token", 1.0), ("sentence", 0.9))],
        },
        "words": class_words(documents, random),
        "sanity": {
            "documents": 100,
            "against": METHODS[0][0],
            "rows": [
                {
                    "method": title,
                    "rise": rise,
                    "interval": around(rise, 0.08),
                    "original": 1.9,
                    "randomized": 1.9 * (1 + rise),
                    "n_documents": 100,
                    "n_excluded": 0,
                    **({} if title == METHODS[0][0] else {"difference": difference(rise - 1.0)}),
                }
                for title, rise in (("LRP epsilon", 1.0), ("occlusion", 0.6), ("LIME", 0.05), ("random", -0.003))
            ],
        },
        "cascade": {
            "documents": 100,
            "rows": [
                {"layer": "output", "rank_correlation": 0.03, "interval": [-0.02, 0.08]},
                {"layer": "convolution", "rank_correlation": 0.11, "interval": [0.06, 0.16]},
                {"layer": "embedding", "rank_correlation": -0.01, "interval": [-0.05, 0.03]},
            ],
        },
        "stability": [
            {
                "model": "20newsgroups-cnn, seed 1",
                "rank_correlation": 0.71,
                "interval": [0.68, 0.74],
                "top_overlap": 0.62,
                "documents": 100,
            }
        ],
        "ledger": [
            {"cause": "bias", "step": "output", "mean_share": 0.031, "largest_share": 0.204},
            {"cause": "bias", "step": "convolution", "mean_share": 0.052, "largest_share": 0.31},
            {"cause": "stabilizer", "step": "convolution", "mean_share": 0.00002, "largest_share": 0.0004},
            {"cause": "ignored", "step": "embedding", "mean_share": 0.004, "largest_share": 0.09},
        ],
        "errors": {
            "documents": documents,
            "incorrect": 1400,
            "method": METHODS[0][0],
            "ranking": "margin",
            "rows": [
                {
                    "position": 10 * n,
                    "document_id": f"test/{LABELS[n]}/5000{n}",
                    "given": LABELS[n],
                    "predicted": LABELS[n + 3],
                    "margin": n - 4.2,
                    "suspicion": 4.2 - n,
                    "opposing": [{"word": "orbit", "relevance": -1.25}, {"word": "moon", "relevance": -0.5}],
                    "supporting": [{"word": "engine", "relevance": 0.75}],
                }
                for n in range(4)
            ],
        },
        "planted-errors": {
            "documents": documents,
            "share": 0.05,
            "planted": 376,
            "folds": 5,
            "definitions": {"margin": "a minus b"},
            "rows": [
                {
                    "method": name,
                    "auroc": 0.97 - n / 100,
                    "precision": 0.66 - n / 50,
                    "auroc_interval": around(0.97 - n / 100, 0.01),
                    "precision_interval": around(0.66 - n / 50, 0.03),
                }
                | (
                    {"differences": {"auroc": difference_to(-n / 100, 376), "precision": difference_to(-n / 50, 376)}}
                    if n
                    else {}
                )
                for n, name in enumerate(("margin", "self-confidence", "net relevance"))
            ],
        },
        "planted": planted(),
        "roar": roar(),
    }
    return results | changed


def renamed(results: Any, names: dict[str, str]) -> Any:
    """The results with each string that is a key of ``names`` replaced by its value."""
    if isinstance(results, dict):
        return {key: renamed(value, names) for key, value in results.items()}
    if isinstance(results, list):
        return [renamed(value, names) for value in results]
    return names.get(results, results) if isinstance(results, str) else results


def difference(value: float) -> dict[str, Any]:
    """A paired difference and its verdict."""
    low, high = around(value, 0.02)
    verdict = "no significant difference"
    if low > 0 or high < 0:
        verdict = "significantly better" if low > 0 else "significantly worse"
    return {"difference": value, "interval": [low, high], "documents": 498, "verdict": verdict}


SYLLABLES = "an bel cor dis el fran gor hil ist jun kel lor men nor ost per qua ril sen tor ul ver win"
RATIONALES = {"average_precision": 0.55, "auroc": 0.81, "pointing": 0.85, "iou": 0.38}


def rationales_level(by: str, size: float) -> dict[str, Any]:
    rows = [("random", 0.3), ("tf × log ratio", 0.8), ("late words first", 0.4), ("early words first", 0.5)]
    return {
        "by": by,
        "against": METHODS[0][0],
        "documents": 22,
        "left_out": 3,
        "marked_share": 0.12,
        "rows": [
            {
                "method": title,
                **{name: size * whole * good for name, whole in RATIONALES.items()},
                "intervals": {name: around(size * whole * good, 0.06) for name, whole in RATIONALES.items()},
                "differences": {
                    name: {
                        "difference": size * whole * (good - 1),
                        "interval": around(size * whole * (good - 1), 0.02),
                        **tested(22),
                        "verdict": verdict_of(size * whole * (good - 1), 0.02),
                    }
                    for name, whole in RATIONALES.items()
                },
            }
            for title, good in [*((title, good) for title, *_, good in METHODS[:7]), *rows]
        ],
    }


def around(value: float, half: float) -> list[float]:
    return [value - half, value + half]


TOO_FEW = "too few documents"


def tested(documents: int) -> dict[str, Any]:
    """The parts of a paired difference that a page shows next to the verdict."""
    enough = documents >= 20
    p_values = {"p_value": 0.0004 if enough else None, "p_corrected": 0.0032 if enough else None}
    return {"documents": documents, **p_values, "effect_size": 0.42 if enough else None}


def difference_to(value: float, documents: int, half: float = 0.01) -> dict[str, Any]:
    return {
        "difference": value, "interval": around(value, half), **tested(documents), "verdict": verdict_of(value, half)
    }  # fmt: skip


def verdict_of(difference: float, half: float, better: str = "higher") -> str:
    if abs(difference) <= half:
        return "no significant difference"
    return "significantly better" if (difference > 0) == (better == "higher") else "significantly worse"


def protocol(
    name: str, title: str, documents: int, random: np.random.Generator, mode: str = "zero"
) -> dict[str, Any]:
    """Curves that fall (correctly classified documents) or rise, faster for a better method."""
    better = "higher" if mode == "insert" or name != "correct" else "lower"
    steps = np.arange(STEPS + 1)
    curves = []
    for method, good in [*((m[0], m[4]) for m in METHODS), ("random", 0.08), ("LRP epsilon, reversed", -0.05)]:
        moved = (0.62 if name == "correct" else 0.55) * good * (1 - np.exp(-steps / 14)) / (1 - np.exp(-50 / 14))
        accuracy = 1 - moved if better == "lower" else moved if name != "correct" else 0.05 + 1.5 * moved
        accuracy = np.clip(accuracy + np.where(steps, random.normal(0, 0.003, STEPS + 1), 0), 0, 1)
        half = 0.02 * np.sqrt(steps / STEPS)
        area = float(accuracy.mean())
        curves.append(
            {
                "method": method,
                "accuracy": accuracy.tolist(),
                "low": np.clip(accuracy - half, 0, 1).tolist(),
                "high": np.clip(accuracy + half, 0, 1).tolist(),
                "area": area,
                "interval": around(area, 0.011),
            }
        )
    first = curves[0]
    differences = [
        {
            "method": curve["method"],
            "against": first["method"],
            "difference": curve["area"] - first["area"],
            "interval": around(curve["area"] - first["area"], 0.007) if documents >= 20 else None,
            **tested(documents),
            "verdict": verdict_of(curve["area"] - first["area"], 0.007, better) if documents >= 20 else TOO_FEW,
        }
        for curve in curves[1:]
    ]
    return {
        "name": name, "title": title, "mode": mode, "documents": documents, "better": better,
        "curves": curves, "differences": differences,
        **({"as_in_training": {"word_dropout": 0.2, "steps": 21, "half": 34}} if mode == "zero" else {}),
    }  # fmt: skip


def planted() -> dict[str, Any]:
    """Shortcuts of three kinds, of which the pair was not learned."""
    return {
        "share": 0.05,
        "taken_from": 0.05,
        "labels": list(LABELS[:3]),
        "seeds": [0, 1],
        "trainings": 6,
        "training_documents": 5649,
        "held_out_documents": 1883,
        "kinds": [planted_kind(kind, 1 if kind == "token" else 2, kind != "pair") for kind in PLANTED],
    }


def roar() -> dict[str, Any]:
    shares = np.arange(11) / 10
    rows = []
    for title, good in [*((title, good) for title, *_, good in METHODS[:7]), ("random", 0.0)]:
        accuracy = 0.05 + 0.76 * (1 - shares) ** (0.6 + 2.4 * good)
        row: dict[str, Any] = {
            "method": title,
            "shares": shares.tolist(),
            "accuracy": accuracy.tolist(),
            "low": (accuracy - 0.01).tolist(),
            "high": (accuracy + 0.01).tolist(),
        }
        if title != "random":
            row |= {"racu": 0.5 * good, "racu_sd": 0.03, "racu_values": [0.5 * good - 0.03, 0.5 * good + 0.03]}
        if rows:
            row["difference"] = {
                "difference": 0.3 * (1 - good),
                "interval": around(0.3 * (1 - good), 0.01),
                "documents": 1883,
                "verdict": verdict_of(0.3 * (1 - good), 0.01, "lower"),
            }
        rows.append(row)
    return {
        "seeds": [0, 1],
        "trainings": 148,
        "training_documents": 5649,
        "held_out_documents": 1883,
        "rows": rows,
    }


PLANTED = ("token", "context", "pair")


def planted_kind(kind: str, k: int, taken: bool) -> dict[str, Any]:
    rows = [*((title, good) for title, *_, good in METHODS[:7]), ("random", 0.01), ("TF-IDF", 0.05)]
    return {
        "kind": kind,
        "planted_words": k,
        "shortcuts": [
            {
                "seed": seed,
                "label": label,
                "words": ["tonekada", "furunozo"][:k],
                "carriers": 14,
                "changed": 0.31 if taken else 0.02,
                "resisted": None if k == 1 else 0.93,
                "taken": taken,
                "documents": 62 if taken else 4,
            }
            for seed in (0, 1)
            for label in LABELS[:3]
        ],
        "taken": 6 if taken else 0,
        "documents": 311 if taken else 0,
        "chance": 0.0061 if taken else None,
        "rows": [
            {
                "method": title,
                "precision": min(1.0, 0.98 * good),
                "sd": 0.02,
                "lowest": min(1.0, 0.93 * good),
                "rank": 1 + 40 * (1.04 - good),
                "difference": None
                if title == METHODS[0][0]
                else {
                    "difference": 0.98 * (good - 1),
                    "interval": around(0.98 * (good - 1), 0.015),
                    "documents": 311,
                    "verdict": verdict_of(0.98 * (good - 1), 0.015),
                },
            }
            for title, good in rows
        ]
        if taken
        else [],
    }


def neighbors(random: np.random.Generator) -> list[dict[str, Any]]:
    count = np.arange(1, 21)
    rows = []
    for weighting, epi, best in (
        ("LRP element-wise", 0.8121, 10),
        ("squared gradient element-wise", 0.7993, 10),
        ("LRP", 0.7847, 8),
        ("squared gradient", 0.7767, 8),
        ("TF-IDF", 0.6816, 1),
        ("uniform", 0.6208, 1),
    ):
        accuracy = epi - 0.012 * np.log(count / best) ** 2
        rows.append(
            {
                "weighting": weighting,
                "epi": epi,
                "sd": 0.0045,
                "k": best,
                "neighbors": count.tolist(),
                "accuracy": accuracy.tolist(),
                "accuracy_sd": (0.004 + 0.001 * random.random(20)).tolist(),
                **({} if weighting == "TF-IDF" else {"differences": {"epi": difference_to(epi - 0.6816, 7532)}}),
            }
        )
    return rows


def maps(documents: int, random: np.random.Generator) -> list[dict[str, Any]]:
    labels = random.integers(len(LABELS), size=documents)
    groups = [LABELS[label].split(".")[0] for label in labels]
    names = sorted(set(groups))
    angle = np.array([2 * np.pi * names.index(group) / len(names) for group in groups])
    found = []
    for weighting, wide in (("LRP element-wise", 0.12), ("uniform", 0.5)):
        far = random.beta(2, 2.5, documents)
        x = far * np.cos(angle) + wide * random.normal(size=documents) * far.clip(0.2)
        y = 0.8 * far * np.sin(angle) + wide * random.normal(size=documents) * far.clip(0.2)
        found.append(
            {"weighting": weighting, "x": x.tolist(), "y": y.tolist(), "group": groups, "explained": [0.124, 0.081]}
        )
    return found


def class_words(documents: int, random: np.random.Generator) -> list[dict[str, Any]]:
    syllables = SYLLABLES.split()
    found = []
    for label in LABELS:
        words = ["".join(random.choice(syllables, size=random.integers(1, 4))) for _ in range(20)]
        sums = np.sort(random.gamma(1.2, 9.0, size=20))[::-1]
        found.append(
            {
                "label": label,
                "documents": int(documents / 20 + random.integers(-30, 30)),
                "words": [
                    {
                        "word": word,
                        "relevance": float(value),
                        "documents": int(random.integers(1, 120)),
                        "in_training": int(random.integers(0, 4) and random.integers(1, 400)),
                        "examples": [f"test/{label}/{random.integers(50000, 60000)}" for _ in range(2)],
                    }
                    for word, value in zip(words, sums.tolist(), strict=True)
                ],
                "phrases": [
                    {
                        "words": f"{words[n]} {words[n + 7]}",
                        "relevance": float(value),
                        "documents": int(random.integers(1, 30)),
                        "examples": [f"test/{label}/{random.integers(50000, 60000)}"],
                    }
                    for n, value in enumerate(sums[:8].tolist())
                ],
            }
        )
    return found
