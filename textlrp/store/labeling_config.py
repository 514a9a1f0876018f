"""The labeling configuration for Label Studio: the labels of the regions and the classes, as XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import quoteattr

from textlrp.explanation import Explanation
from textlrp.files.kinds import first_line
from textlrp.files.written_file import FileKind
from textlrp.store.exported_words import target_labels
from textlrp.text.surrogates import without_surrogates

_FIRST_LINE = '<View className="textlrp">'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLORS = ("#c0392b", "#2471a3")
"""Red for words that support a class, blue for words that oppose it, as on the pages."""

LABELS_TAG, CLASS_TAG, TEXT_TAG = "relevance", "class", "text"
"""Names of the tags in the configuration, and of the questions and the field in Argilla."""

LABELING_CONFIG = FileKind("a labeling configuration", lambda path: first_line(path).rstrip() == _FIRST_LINE)


def xml_text(text: str) -> str:
    """Replace the characters that XML cannot contain, such as U+0000, by U+FFFD."""
    return _NOT_XML.sub("\ufffd", without_surrogates(text))


def labeling_config(targets: Iterable[str], classes: Iterable[str], *, several: bool) -> str:
    """Return the configuration: two labels per target, and one choice per class.

    ``several``: a text may have several classes. White space is shown as it is, because Label Studio would otherwise
    trim it.
    """
    labels = [
        f'    <Label value={quoteattr(xml_text(label))} background="{color}"/>'
        for target in targets
        for label, color in zip(target_labels(target), _COLORS, strict=True)
    ]
    choices = [f"    <Choice value={quoteattr(xml_text(label))}/>" for label in classes]
    lines = [
        _FIRST_LINE,
        "  <Style>.htx-text { white-space: pre-wrap; }</Style>",
        f'  <Labels name="{LABELS_TAG}" toName="{TEXT_TAG}">',
        *labels,
        "  </Labels>",
        f'  <Text name="{TEXT_TAG}" value="$text"/>',
        f'  <Choices name="{CLASS_TAG}" toName="{TEXT_TAG}" choice="{"multiple" if several else "single"}">',
        *choices,
        "  </Choices>",
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def config_path(tasks: str | Path) -> Path:
    """Return the path of the configuration that belongs to a file of tasks: the same name with the suffix .xml."""
    return Path(tasks).with_suffix(".xml")


@contextmanager
def with_config(explanations: Iterable[Explanation], path: Path) -> Iterator[Iterator[Explanation]]:
    """Yield the explanations; at the end, write the configuration that fits them to ``path``."""
    targets: dict[str, None] = {}
    classes: dict[str, None] = {}
    several = False

    def passed() -> Iterator[Explanation]:
        nonlocal several
        for each in explanations:
            targets.update(dict.fromkeys(each.target_names))
            classes.update(dict.fromkeys(each.labels))
            several |= each.thresholds is not None
            yield each

    yield passed()
    path.write_text(labeling_config(targets, classes, several=several), encoding="utf-8")
