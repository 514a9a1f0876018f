"""Read a stored file and write pages of it, without torch; see docs/how-to/without-torch.md.

    python tests/scripts/render_stored.py STORED FOLDER

It writes a page, a report on one page, a report in a folder and a CSV table to FOLDER, and prints the packages that
it imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

import textlrp
import textlrp.store


def main(stored: str, folder: Path) -> None:
    folder.mkdir()
    explanations = list(textlrp.store.read(stored))
    explanations[0].to_html(folder / "document.html")
    textlrp.write_report(explanations, folder / "report.html")
    textlrp.write_report(explanations, folder / "pages")
    textlrp.store.to_frame(explanations).to_csv(folder / "words.csv", index=False)
    (folder / "first.json").write_text(explanations[0].to_json(), encoding="utf-8")
    textlrp.store.write(explanations, folder / "again.jsonl")
    loaded = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
    print(*sorted(name for name in loaded - set(sys.stdlib_module_names) if not name.startswith("_")))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
