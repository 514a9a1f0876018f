"""Install a wheel in new virtual environments and run the demo in an empty folder, once per Python.

    python tests/scripts/try_wheel.py dist/textlrp-0.1.0-py3-none-any.whl [--python python3.11 python3.12 ...]
    python tests/scripts/try_wheel.py dist/textlrp-0.1.0-py3-none-any.whl --render [--python ...]

With ``--render`` it installs only what reading and rendering stored explanations needs, and runs no demo.

It prints the time of the installation, the size of the environment, the time of the demo and its last lines. An
environment has several gigabytes if the package index serves torch with CUDA; each is deleted before the next one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = ("python3.11", "python3.12", "python3.13")
"""The versions that the classifiers of pyproject.toml list."""


def new_environment(folder: Path, requirements: Sequence[str | Path], python: str | Path = sys.executable) -> Path:
    """Make a virtual environment, install the requirements with pip, and return its folder of programs.

    Raises :class:`subprocess.CalledProcessError` with the output of pip if they cannot be installed.
    """
    subprocess.run([python, "-m", "venv", folder], check=True, env=plain_variables())
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(pip, check=True, capture_output=True, text=True, env=plain_variables())
    return programs


def plain_variables() -> dict[str, str]:
    """Return the environment variables without the Python path, and without the folder of an installed corpus."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"TEXTLRP_20NEWS": ""}


def megabytes(folder: Path) -> float:
    """Return the size of the files in a folder, in MB (1,000,000 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def try_wheel(wheel: Path, python: str, *, render: bool) -> None:
    """Install the wheel, run ``textlrp --version`` and the demo in an empty folder, and print the facts."""
    constraints = ["--constraint", ROOT / "constraints.txt"]
    requirements = ["--no-deps", "--requirement", ROOT / "requirements-render.txt"] if render else constraints
    with tempfile.TemporaryDirectory() as name:
        folder, empty = Path(name, "environment"), Path(name, "empty")
        empty.mkdir()
        start = time.perf_counter()
        programs = new_environment(folder, [wheel, *requirements], python)
        print(f"{python}: installed in {time.perf_counter() - start:.0f} s, {megabytes(folder):,.0f} MB", flush=True)
        variables = plain_variables() | {"TEXTLRP_CACHE_DIR": str(Path(name, "cache"))}
        for command in (["--version"], *([] if render else [["demo", "-o", "report.html"]])):
            start = time.perf_counter()
            done = subprocess.run(
                [programs / "textlrp", *command], cwd=empty, env=variables, text=True, capture_output=True
            )
            print(f"textlrp {' '.join(command)}: exit code {done.returncode}, {time.perf_counter() - start:.0f} s")
            print(
                "".join(f"    {line}\n" for line in (done.stdout + done.stderr).splitlines()[-6:]), end="", flush=True
            )
            done.check_returncode()
        written = [f"{path.name} ({path.stat().st_size:,} bytes)" for path in sorted(empty.iterdir())]
        print(f"written: {', '.join(written) or 'nothing'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", nargs="+", default=PYTHONS, help="the Python programs to try")
    parser.add_argument("--render", action="store_true", help="install only what rendering needs")
    options = parser.parse_args()
    for python in options.python:
        try:
            try_wheel(options.wheel.resolve(), python, render=options.render)
        except subprocess.CalledProcessError as failure:
            sys.exit(f"{python}: {' '.join(map(str, failure.cmd[:4]))} ... failed.\n{failure.stderr or ''}")


if __name__ == "__main__":
    main()
