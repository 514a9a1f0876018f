"""Commands that the bash blocks of a page find on their PATH, and the services that a page starts.

- ``textlrp``: the command of this tree. ``textlrp serve`` starts the real service on a free port, waits until it is
  ready and returns; it runs until the end of the page, or until another one is started on the same port.
- ``curl``: the real one; the port of a service of this page is replaced by its free port.
- ``pip install``: nothing is installed. It checks that each name is this package or a dependency of it, and that each
  extra exists.
- ``make``: lists what the Makefile of this tree would do (``make -n``), so an unknown target is an error.
- other names: files that a set-up block writes to the folder ``.bin`` of the page.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "python": 'exec "{python}" "$@"',
    "textlrp": '[ "$1" = serve ] || exec "{python}" -m textlrp "$@"\nexec "{python}" "{helper}" "{folder}" "$@"',
    "curl": 'exec "{python}" "{helper}" "{folder}" curl "$@"',
    "pip": 'exec "{python}" "{helper}" "{folder}" pip "$@"',
    "make": 'PATH="{path}" exec make --dry-run --silent --directory "{root}" "$@" >/dev/null',
}
"""The shell scripts of the commands."""


def install(folder: Path) -> None:
    """Write the commands to the folder ``.bin`` of a page."""
    programs = folder / ".bin"
    programs.mkdir()
    values = {
        "python": sys.executable,
        "helper": __file__,
        "folder": folder,
        "root": ROOT,
        "path": os.environ["PATH"],
    }
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{script.format_map(values)}\n", encoding="utf-8")
        (programs / name).chmod(0o755)


def write_small_20newsgroups(folder: Path) -> Path:
    """Write the sample posts to the folder ``.bin`` of a page, in the form of the folder of 20 Newsgroups."""
    posts = folder / ".bin" / "20news"
    for split in ("train", "test"):
        for post in (ROOT / "data" / "sample-posts" / split).glob("*/*.txt"):
            copy = posts / f"20news-bydate-{split}" / post.parent.name / post.stem
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(post.read_bytes())
    return posts


def environment(folder: Path) -> dict[str, str]:
    """The environment of a page's bash blocks."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TEXTLRP_TOKEN", "PYTEST"))
    }
    return {
        **inherited,
        "PATH": f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")]),
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }


# ---- services


def services(folder: Path) -> dict[str, dict[str, int]]:
    """Port on the page -> process id and port of each service."""
    stored = folder / ".bin" / "services.json"
    return json.loads(stored.read_text("utf-8")) if stored.exists() else {}


def stop_services(folder: Path, *, port: str | None = None) -> None:
    """End the services of a page, or the one on a port of the page."""
    running = services(folder)
    for shown in [port] if port in running else list(running) if port is None else []:
        process = running.pop(shown)["process"]
        os.kill(process, signal.SIGTERM)
        while _alive(process):
            time.sleep(0.05)
    (folder / ".bin" / "services.json").write_text(json.dumps(running), "utf-8")


def _alive(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)
    try:
        state = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def serve(folder: Path, arguments: list[str]) -> int:
    """Start ``textlrp serve`` on a free port, and wait until it is ready."""
    shown = arguments[arguments.index("--port") + 1] if "--port" in arguments else "8000"
    stop_services(folder, port=shown)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / ".bin" / f"service-{shown}.log"
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "textlrp", "serve", *arguments, "--port", str(port)],
            stdin=subprocess.DEVNULL, stdout=written, stderr=written, start_new_session=True,
        )  # fmt: skip
    running = {**services(folder), shown: {"process": process.pid, "port": port}}
    (folder / ".bin" / "services.json").write_text(json.dumps(running), "utf-8")
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return 0
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.stderr.write(log.read_text("utf-8"))
    return process.returncode or 1


def curl(folder: Path, arguments: list[str]) -> int:
    """Run curl with the free ports in place of those on the page."""
    ports = {shown: str(service["port"]) for shown, service in services(folder).items()}

    def replaced(argument: str) -> str:
        return re.sub(
            r"(127\.0\.0\.1:|localhost:)(\d+)", lambda found: found[1] + ports.get(found[2], found[2]), argument
        )

    program = shutil.which("curl", path=os.environ["PATH"].replace(str(folder / ".bin"), "")) or "curl"
    return subprocess.run([program, *map(replaced, arguments)], check=False).returncode


# ---- pip and make


def pip(arguments: list[str]) -> int:
    """Check what ``pip install`` is asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], *extras.values()]
    known = {re.split(r"[^\w.-]", each)[0].lower() for names in lists for each in names} | {"textlrp", "."}
    if arguments[:1] != ["install"]:
        sys.exit(f"pip: expected install, got {arguments}")
    names = re.sub(
        r"--[\w-]*(url|prefix|target|constraint|requirement)[ =]\S+|(?<!\S)-\S+", "", " ".join(arguments[1:])
    ).split()
    for name in names:
        base, _, inside = name.rstrip("]").partition("[")
        unknown = set(filter(None, inside.split(","))) - set(extras)
        if re.split(r"[=<>~]", base)[0].lower() not in known or unknown:
            sys.exit(f"pip: {name} is no dependency or extra of textlrp")
    return 0 if names else 1


if __name__ == "__main__":
    home, program, *rest = sys.argv[1:]
    sys.exit(pip(rest) if program == "pip" else {"serve": serve, "curl": curl}[program](Path(home), rest))
