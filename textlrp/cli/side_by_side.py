"""The commands' work for pages with explanations side by side: galleries (``explain``), comparisons (``report``).

It checks the options, loads the models, and calls :mod:`textlrp.cli.panels` or :mod:`textlrp.cli.two_sides`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from textlrp.cli.inputs import InputTexts, load_model, print_written
from textlrp.errors import OptionError
from textlrp.files.kinds import PAGES

GALLERY_TEXTS = 12
"""Maximum number of texts in a gallery, unless ``--limit`` is given."""

OpenTexts = Callable[[int | None], InputTexts]
"""Opens the input of a command with a maximum number of texts (None: all)."""


def gallery(
    model: str,
    source: str | None,
    documents: OpenTexts,
    output: Path | None,
    *,
    force: bool,
    rules: Sequence[str],
    methods: Sequence[str],
    target: Sequence[str],
    versus: str | None,
    start: Literal["score", "centered"] | None,
    limit: int | None,
    trust_pickle: bool,
    texts: bool,
) -> None:
    """Write one page with a panel for each rule and method; raises :class:`OptionError` without ``output``."""
    if output is None:
        raise OptionError("--output must be an .html page for several rules or methods; got none. Pass -o PAGE.html.")
    _check_one(target, "several rules or methods")
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    check_output(output, PAGES, inputs=inputs_of(source, models=[model]), force=force)
    from textlrp.cli.panels import write_gallery

    classifier = load_model(model, trust_pickle=trust_pickle)
    one = target[0] if target else None
    found = documents(limit or GALLERY_TEXTS)
    page = write_gallery(
        classifier,
        found,
        output,
        rules=rules,
        methods=methods,
        target=one,
        versus=versus,
        start=start,
        texts=texts,
        force=force,
    )
    print_written(page, found)
    found.list_rejected()


def comparison(
    model: str,
    source: str,
    documents: OpenTexts,
    output: Path,
    *,
    force: bool,
    against: str | None,
    rule: str | None,
    start: Literal["score", "centered"] | None,
    method: str,
    against_rule: str | None,
    against_method: str | None,
    target: Sequence[str],
    limit: int,
    palette: str,
    evaluation: Path | None,
    trust_pickle: bool,
    texts: bool,
) -> None:
    """Write one page that compares two models, rules or methods."""
    if evaluation is not None:
        raise OptionError(
            "--evaluation cannot be used in a comparison. Leave it out, or leave out --against, --against-rule and "
            "--against-method."
        )
    _check_one(target, "two models, rules or methods")
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    check_output(output, PAGES, inputs=inputs_of(source, models=[model, against]), force=force)
    from textlrp.cli.two_sides import Comparison, write_comparison

    first = load_model(model, trust_pickle=trust_pickle)
    compared = Comparison(
        against=None if against is None else load_model(against, trust_pickle=trust_pickle),
        rule=rule,
        method=method,
        against_rule=against_rule,
        against_method=against_method,
        target=target[0] if target else None,
        start=start,
    )
    found = documents(limit)
    page = write_comparison(
        first, found, output, compared, names=(model, against or model), palette=palette, texts=texts, force=force
    )
    print_written(page, found)
    found.list_rejected()


def _check_one(target: Sequence[str], what: str) -> None:
    if len(target) > 1:
        raise OptionError(f"--target must be given once on a page of {what}; got {len(target)} classes. Pass one.")


def check_single(**options: object) -> None:
    """Raise :class:`OptionError` for an option that applies to one rule, if several rules or methods are given."""
    for name, value in options.items():
        if value:
            raise OptionError(
                f"--{name} cannot be used with several rules or methods. Leave it out, or add the rule to --rules."
            )


def check_gallery(no_texts: bool, several: bool) -> None:
    """Raise :class:`OptionError` for ``--no-texts`` unless several rules or methods are given."""
    if no_texts and not several:
        raise OptionError(
            "--no-texts must be left out with one rule and method, because an explanation is its marked text; got "
            "--no-texts. Leave it out, pass several --rules, or use textlrp report --no-texts."
        )


def check_stored(**options: object) -> None:
    """Raise :class:`OptionError` for an option that does not apply to a folder of explanations."""
    for name, value in options.items():
        if value:
            raise OptionError(f"--{name} cannot be used with an output folder. Leave it out, or pass -o FILE.")
