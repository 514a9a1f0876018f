"""One Chromium for all tests of this folder. Without Chromium they are skipped, or fail if they are required."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


# not session scope: while Playwright's event loop runs, no other test can run its own
@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the system's browser without network access and with a temporary home folder."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = "no Chromium: install the package `chromium` (or Google Chrome) so that it is on the PATH"
        if os.environ.get("TEXTLRP_BROWSER") == "required":
            pytest.fail(f"{reason}; $TEXTLRP_BROWSER requires these tests to run")
        pytest.skip(reason)
    home = str(tmp_path_factory.mktemp("home"))
    folders = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--host-resolver-rules=MAP * ~NOTFOUND"],
            env={**os.environ, **folders},
        )
        yield started
        started.close()
