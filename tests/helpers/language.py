"""Find words of the retired dialect in everything that a person reads: messages, docstrings, comments, pages, docs.

`python tests/helpers/language.py [PATH ...]` prints `file:line: phrase  (say: ...)` for each finding, and the total.
`tests/test_language.py` runs it over the tree. To retire a phrase, add it to `RETIRED`.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from doc_pages import WRITTEN

ROOT = Path(__file__).resolve().parents[2]

READ = (
    "textlrp/**/*.py", "textlrp/**/*.html", "textlrp/**/*.js", "benchmarks/*.py", "docs/*.py", "docs/**/*.md",
    "benchmarks/*.md", "data/*.md", "notebooks/*.ipynb", "notebooks/*.py", "*.md", "Makefile", "pyproject.toml",
    "CITATION.cff", ".github/**/*.yml", ".github/**/*.md",
)  # fmt: skip
"""What is checked. Test files are not: they name retired phrases to assert that they are gone."""

RETIRED: dict[str, str] = {
    r"taken for": "confusion matrix; predicted as",
    r"own labels?": "true label",
    r"gold(en)? labels?": "true label",
    r"(the |an? )?(right|wrong) (answers?|documents?)": "correct / incorrect predictions",
    r"rightly|wrongly": "correctly / incorrectly",
    r"(speak|speaks|speaking|spoke|spoken) (for|against|of|in)": "support / oppose the class; are about",
    r"words for( and against)?(?= (a|the|it|class)\b)": "words that support / oppose the class",
    r"surest|least sure|sureness": "most / least confident",
    r"(not )?(told|tell|tells) \w*( \w+)? ?apart": "no significant difference; distinguish",
    r"glued": "hybrid documents; joined",
    r"(is|are|was|were|be) not read|what it did not read|unread": "ignored by the model",
    r"where the scores? (went|goes|comes? from|came from)|ledger lines?": "score breakdown",
    r"(lead|leads|leading|led) (it |the scores? |relevance |them )?back": "propagate",
    r"land|lands|landed|landing": "propagate; reach",
    r"rivals?": "baseline method; other attribution method",
    r"foreign": "external; your own",
    r"a word’s places?|a word's places?|places of (a|the) words?": "offsets",
    r"set(s|ting)? aside": "skipped; rejected",
    r"by hand": "manually; manual",
    r"makes? room|how much room|room (for|is|to)|in the house|of the house|the house": "plain words: space; package",
    r"came": "got",
    r"(is|are|was|were) wanted|wanted": "must be; requested",
    r"mend|mends|mended|mending": "fix",
    r"names? of (their|its) own": "custom names",
    r"hold|holds|held(?![- ]out)|holding": "contain; has; keep",
    r"hand(s|ed)? (out|over|on)|handing (out|over|on)": "distribute; pass",
    r"lay|lays|laid|laying": "create; place",
    r"excit(e|es|ed|ing)": "activate",
    r"(is|are|was) after(?! (a|the|each|every|all|this|that|it|them)\b)|what it is after": "detects",
    r"loudest|strongest words?": "most relevant words",
    r"told|said": "reported",
    r"says?(?! that\?)|saying": "names a person's act: state, show, report, return",
    r"at once": "immediately; together; in one call",
    r"beside": "next to; compared with; in addition to",
    r"stand|stands|stood|standing": "is; is written; appears",
    r"wherein|thereof|whence|hereby": "plain words",
    r"gives? back": "returns",
    r"answers? (is|are|was|were|change|changes|stays?|of the model)|the model(’|')s answers?": "prediction",
    r"the model (names|calls)|is named by": "the model predicts",
    r"so many|so much of": "the number of; at most n",
    r"(is|are) there (for|where|once)\b": "plain words: exists",
    r"a worker that has": "worker process",
    r"[\d}] %(?![\w(.%])": "no space before %: 98.8%",
    r"stabilis\w*|normalis\w*|randomis\w*|summaris\w*": "American spelling",
}
"""Regular expression -> what to write in its place. Whole words, any case."""

USER_FACING = {r"tapes?": "computation trace"}
"""Words that the code may use and pages, messages to users and docs may not."""

_PATTERNS = {
    re.compile(rf"(?<![\w-])(?:{phrase})(?![\w-])", re.IGNORECASE): better for phrase, better in RETIRED.items()
}
_FOR_USERS = {
    re.compile(rf"(?<![\w-])(?:{phrase})(?![\w-])", re.IGNORECASE): better for phrase, better in USER_FACING.items()
}
_ANY = re.compile(rf"(?<![\w-])(?:{'|'.join(RETIRED | USER_FACING)})(?![\w-])", re.IGNORECASE)
"""All phrases in one: most texts have none, and are searched only once."""
_QUOTED = re.compile(r"``[^`]*``|:\w+:`[^`]*`|`[^`\n]*`|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


class Finding(NamedTuple):
    """A retired phrase in a file."""

    path: Path
    line: int
    phrase: str
    better: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.phrase!r} (say: {self.better})"


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every text in a file that a person reads."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _python_texts(source)
    elif path.suffix == ".ipynb":
        for cell in json.loads(source)["cells"]:
            text = "".join(cell["source"])
            yield from [(1, text)] if cell["cell_type"] == "markdown" else _python_texts(text)
    elif path.suffix == ".md":
        yield 1, re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), source, flags=re.DOTALL)
    elif path.suffix in {".toml", ""}:
        yield from ((n, line) for n, line in enumerate(source.splitlines(), 1) if "#" in line or '"' in line)
    else:
        yield 1, source


def _python_texts(source: str) -> Iterator[tuple[int, str]]:
    inside: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield node.lineno, "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value if " " in node.value else ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def findings(path: Path) -> Iterator[Finding]:
    """The retired phrases in one file."""
    patterns = _PATTERNS if path.suffix == ".py" else _PATTERNS | _FOR_USERS
    for line, text in texts_of(path):
        plain = _QUOTED.sub(lambda quoted: "\n" * quoted[0].count("\n") or "x", text)
        if not _ANY.search(plain):
            continue
        for pattern, better in patterns.items():
            for match in pattern.finditer(plain):
                yield Finding(path.relative_to(ROOT), line + plain[: match.start()].count("\n"), match[0], better)


def checked_files(*under: str) -> list[Path]:
    """The files that are checked, all or those under some paths."""
    copies = {ROOT / "docs" / f"{name}.md" for name in WRITTEN}
    every = sorted({path for pattern in READ for path in ROOT.glob(pattern)} - copies)
    chosen = [(ROOT / each).resolve() for each in under] or [ROOT]
    return [path for path in every if any(path.is_relative_to(each) for each in chosen)]


if __name__ == "__main__":
    found = [finding for path in checked_files(*sys.argv[1:]) for finding in findings(path)]
    print(*found, f"{len(found)} retired phrases", sep="\n")
    sys.exit(bool(found))
