"""Made-up groups of documents whose prediction rests on the same few words, for the tests of their page."""

from __future__ import annotations

from dataclasses import replace

from textlrp.shortcut_groups import Deleted, LeadingWord, Origins, ShortcutGroup, Shortcuts

PARTS = {
    "concentration": 0.5,
    "dependence": 0.8,
    "one source": 0.75,
    "outside the body": 0.6,
    "names and codes": 1.0,
    "unlike the class": 0.5,
}


def group(word: str = "clh", label: str = "med", **fields: object) -> ShortcutGroup:
    made = ShortcutGroup(
        label,
        (LeadingWord(word, 0.5, 5, 4, 3.25),),
        (0, 1, 2, 3),
        ("a", "b", "c", "d"),
        40,
        0.05,
        Deleted(4, 1, 3, 3),
        Origins(2, 3, 4, 1, 0, {"signature": 0.6, "body": 0.4}),
        PARTS,
        0.8,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def found(*groups: ShortcutGroup) -> Shortcuts:
    return Shortcuts(
        ("autos", "med"),
        groups,
        100,
        0.812,
        {"med": 40, "autos": 60},
        {"med": 40, "autos": 60},
        "lrp",
        "Zero()",
        "f1",
    )
