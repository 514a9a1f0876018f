"""Use what needs an extra, one after the other, where no extra is installed; print the messages as JSON.

    python tests/scripts/without_extras.py FOLDER PACKAGE...

The packages cannot be imported. Files are written to FOLDER.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

TEXT = "The shuttle reached its orbit."
MODULES = '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]'


def on_standard_error(arguments: list[str]) -> None:
    """Run a command line that must fail, and raise what it prints as an ImportError."""
    from textlrp.cli import main

    with redirect_stderr(io.StringIO()) as printed:
        code = main(arguments)
    if code == 2:
        raise ImportError(printed.getvalue().removeprefix("textlrp: ").strip())


def main(folder: Path) -> None:
    import textlrp
    from textlrp.text.tokens import make_tokenizer

    model = textlrp.load("20newsgroups-boe")
    skops, workbook, encoder, table = (folder / name for name in ("m.skops", "t.xlsx", "encoder", "t.csv"))
    encoder.mkdir()
    (encoder / "modules.json").write_text(MODULES)
    skops.write_bytes(b"PK")
    workbook.write_bytes(b"PK")
    table.write_text(f"text\n{TEXT}\n")
    bulk = ["explain", "20newsgroups-boe", str(table), "-o", str(folder / "run"), "--engine", "ray"]
    uses: list[tuple[str, Callable[[], Any]]] = [
        ("baselines", lambda: textlrp.explain(model, TEXT, method="lime")),
        ("baselines", lambda: textlrp.explain(model, TEXT, method="shap")),
        ("paper", lambda: make_tokenizer("treebank")),
        ("ray", lambda: on_standard_error(bulk)),
        ("serve", lambda: on_standard_error(["serve", "20newsgroups-boe"])),
        ("skops", lambda: textlrp.load(skops)),
        ("transformers", lambda: textlrp.EncoderClassifier(encoder=encoder).fit([TEXT, "A game."], ["a", "b"])),
        ("xlsx", lambda: textlrp.load_corpus(workbook)),
    ]
    messages = []
    for extra, use in uses:
        try:
            use()
        except ImportError as error:
            messages.append([extra, str(error)])
    page = textlrp.explain(model, TEXT).to_html()
    print(json.dumps({"messages": messages, "uses": len(uses), "page": page[:15]}))


if __name__ == "__main__":
    for package in sys.argv[2:]:
        sys.modules[package] = None  # type: ignore[assignment]
    main(Path(sys.argv[1]))
