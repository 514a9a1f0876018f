"""Write requirements-dev.txt, constraints.txt and requirements-render.txt: ``make lock``.

    python tests/scripts/lock.py [--upgrade]

uv resolves the dependencies and extras of ``pyproject.toml`` for all platforms and for Python 3.11 to 3.14.
Versions stay as they are in the files unless ``pyproject.toml`` or ``--upgrade`` requires others.

The files have no hashes. With one hash, pip demands a hash of everything that it installs, and neither a clone nor a
CPU build of torch from another place has one in the lock.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK, CONSTRAINTS, RENDER = "requirements-dev.txt", "constraints.txt", "requirements-render.txt"
NO_DEPENDENCIES = "requirements-no-deps.txt"

COVERED = re.compile(
    r"(?:; )?(?: and )?"
    r"(?:python_full_version < '3\.15' and )?"
    r"\(\(platform_machine == 'arm64' and sys_platform == 'darwin'\)"
    r" or sys_platform == 'linux' or sys_platform == 'win32'\)"
)
"""The part of each marker that repeats which platforms the lock covers, ``environments`` in pyproject.toml."""

CUDA = re.compile(r"(?:nvidia|cuda|triton)\b")
"""Packages that only a CUDA build of torch needs, which names their exact versions itself."""

HEADINGS = {
    LOCK: "Every package for work on textlrp, and the packages that need it. A CUDA build of torch installs more.",
    CONSTRAINTS: "Every package as tested together. torch has no local label: any build of this version fits.",
    RENDER: "For reading and rendering stored explanations: the extra `render`, see docs/how-to/without-torch.md.",
}


def compiled(arguments: Sequence[str], requirements: str, known: str) -> str:
    """Return what ``uv pip compile`` resolves; ``requirements`` is its standard input.

    uv prefers the versions in its output file, so that file first has the contents ``known``.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "requirements.txt")
        output.write_text(known, encoding="utf-8")
        options = ["--quiet", "--universal", "--python-version", "3.11", "--no-header", "--output-file", output]
        done = subprocess.run(["uv", "pip", "compile", *options, *arguments], cwd=ROOT, input=requirements, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        return output.read_text(encoding="utf-8")


def entries(compiled_text: str) -> list[str]:
    """Return the entries of a compiled file, each with its comments, without CUDA packages and repeated markers."""
    found = re.findall(r"^\S+==.*\n(?: +#.*\n)*", compiled_text, re.MULTILINE)
    return [short(entry) for entry in found if not CUDA.match(entry)]


def short(entry: str) -> str:
    """Return an entry without the part of its marker that states which platforms the lock covers."""
    pin, _, rest = entry.partition("\n")
    name, _, marker = pin.partition(" ; ")
    marker = COVERED.sub("", marker).removeprefix("python_full_version < '3.15' and ")
    marker = marker.replace(" and python_full_version < '3.15'", "")
    return "\n".join([f"{name} ; {marker}" if marker else name, rest])


def pins(texts: Iterable[str]) -> list[str]:
    """Return the sorted lines of the texts that pin a package, without comments."""
    return sorted({line for text in texts for line in text.splitlines() if re.match(r"[\w.-]+==", line)})


def render_requirements() -> str:
    """Return the requirements of the extra ``render``, one per line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return "\n".join(project["optional-dependencies"]["render"])


def constraints_of(lock: str) -> str:
    """Return the contents of constraints.txt for the contents of requirements-dev.txt."""
    manual = (ROOT / NO_DEPENDENCIES).read_text(encoding="utf-8")
    return with_heading(CONSTRAINTS, pins([lock, manual]))


def with_heading(name: str, lines: Sequence[str]) -> str:
    """Return the contents of a file: what it is, the command that writes it, and its lines."""
    return "\n".join([f"# {HEADINGS[name]}", "# `make lock` writes this file.", *lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit together")
    known = "" if parser.parse_args().upgrade else (ROOT / LOCK).read_text(encoding="utf-8")
    resolved = compiled(["--all-extras", "pyproject.toml", "requirements-dev.in"], "", known)
    lock = with_heading(LOCK, [entry.rstrip("\n") for entry in entries(resolved)])
    (ROOT / LOCK).write_text(lock, encoding="utf-8")
    (ROOT / CONSTRAINTS).write_text(constraints_of(lock), encoding="utf-8")
    render = compiled(["--no-annotate", "-"], render_requirements(), lock)
    (ROOT / RENDER).write_text(with_heading(RENDER, pins([*entries(render)])), encoding="utf-8")
    for name in (LOCK, CONSTRAINTS, RENDER):
        print(f"{name}: {len(pins([(ROOT / name).read_text(encoding='utf-8')]))} pins")


if __name__ == "__main__":
    main()
