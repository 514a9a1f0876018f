"""What the commands do that show explanations side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from textlrp.cli.inputs import InputTexts, load_model, say_written
from textlrp.errors import OptionError
from textlrp.files.kinds import PAGES

GALLERY = 12
"""Documents of a gallery, unless --limit says otherwise."""

TextsUpTo = Callable[[int | None], InputTexts]
"""At most so many documents."""


def gallery(
    model: str,
    source: str | None,
    documents: TextsUpTo,
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
) -> None:
    """One page with a panel for each rule and method; raises :class:`OptionError` without a page to write it to."""
    if output is None:
        raise OptionError("several rules or methods stand side by side on a page; name it with -o PAGE.html.")
    _check_one(target, "several rules or methods")
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    check_output(output, PAGES, inputs=inputs_of(source, models=[model]), force=force)
    from textlrp.cli.panels import write_gallery

    classifier = load_model(model, trust_pickle=trust_pickle)
    one = target[0] if target else None
    texts = documents(limit or GALLERY)
    page = write_gallery(
        classifier,
        texts,
        output,
        rules=rules,
        methods=methods,
        target=one,
        versus=versus,
        start=start,
        force=force,
    )
    say_written(page, texts)


def comparison(
    model: str,
    source: str,
    documents: TextsUpTo,
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
) -> None:
    """One page about two models, rules or methods."""
    if evaluation is not None:
        raise OptionError("--evaluation came with a comparison; it belongs to a report of one side. Leave it out.")
    _check_one(target, "two models, rules or methods")
    from textlrp.files.written_file import check_output
    from textlrp.models.given_files import inputs_of

    check_output(output, PAGES, inputs=inputs_of(source, models=[model, against]), force=force)
    from textlrp.cli.two_sides import Comparison, write_comparison

    first = load_model(model, trust_pickle=trust_pickle)
    asked = Comparison(
        against=None if against is None else load_model(against, trust_pickle=trust_pickle),
        rule=rule,
        method=method,
        against_rule=against_rule,
        against_method=against_method,
        target=target[0] if target else None,
        start=start,
    )
    texts = documents(limit)
    page = write_comparison(
        first, texts, output, asked, names=(model, against or model), palette=palette, force=force
    )
    say_written(page, texts)


def _check_one(target: Sequence[str], what: str) -> None:
    if len(target) > 1:
        raise OptionError(f"--target came {len(target)} times; a page of {what} explains one class. Give one.")


def check_alone(**options: object) -> None:
    """Raise :class:`OptionError` for options that came and belong to a single explanation."""
    for name, value in options.items():
        if value:
            raise OptionError(
                f"--{name} came with several rules or methods; it belongs to a single one. Leave it out, or name the "
                "rule in --rules."
            )


def check_one_way(**options: object) -> None:
    """Raise :class:`OptionError` for options that came and do not go with a folder of explanations."""
    for name, value in options.items():
        if value:
            raise OptionError(f"--{name} does not go with a folder of explanations; leave it out, or name a file.")
