"""The helpers of ``pages`` detect requests, errors, dialogs, overflow and accessibility violations."""

from pathlib import Path

from pages import NARROW, barriers, first_paint, hosted, opened, shown, sideways, switch_time
from playwright.sync_api import Browser

LOUD = """<!doctype html><title>Loud</title>{policy}<p>text</p><div style="width:900px">wide</div>
<img src="x.png" onerror="top.pwned = 1"><script>alert('hello'); missing()</script>"""
POLICY = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""


def test_requests_errors_and_dialogs_are_seen(browser: Browser) -> None:
    with opened(browser, LOUD.format(policy="")) as it:
        assert it.requests == ["https://report.example/x.png"]
        assert it.dialogs == ["hello"]
        assert any("missing is not defined" in error for error in it.errors)
        assert it.page.evaluate("window.pwned") == 1


def test_a_broken_policy_is_seen_and_can_be_bypassed(browser: Browser) -> None:
    with opened(browser, LOUD.format(policy=POLICY)) as it:
        assert it.dialogs == []
        assert len(it.errors) >= 2
        assert all("Content Security Policy" in error for error in it.errors)
    with opened(browser, LOUD.format(policy=POLICY), policy=False) as it:
        assert it.requests
        assert it.dialogs


def test_a_file_is_opened_as_a_file_and_nothing_else_counts_as_quiet(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page with spaces.html"
    path.write_text("<!doctype html><title>Quiet</title><p>text", encoding="utf-8")
    with opened(browser, path) as it:
        assert it.page.title() == "Quiet"
        assert it.did() == []
    path.write_text(LOUD.format(policy=""), encoding="utf-8")
    with opened(browser, path) as it:
        assert it.requests == [(tmp_path / "x.png").as_uri()]


def test_scrolling_and_barriers_are_measured(browser: Browser) -> None:
    page = hosted('<p style="color:#aaa">pale</p><input><div style="width:600px">wide</div>')
    with opened(browser, page, width=NARROW, policy=False) as it:
        assert sideways(it.page) > 200
        assert {found.split(":")[0] for found in barriers(it.page)} == {"color-contrast", "label"}


def test_paint_and_switch_are_timed(browser: Browser) -> None:
    slow = """<!doctype html><title>Slow</title><p>text</p><button onclick="
        const start = performance.now(); while (performance.now() - start < 80);">wait</button>"""
    with opened(browser, slow) as it:
        assert 0 < first_paint(it.page) < 10_000
        assert 80 < switch_time(it.page, "button") < 10_000


def test_strings_are_expected_as_html_reads_them() -> None:
    assert shown("a\r\nb\rc\x00\ud800\t") == "a\nb\nc␀\ufffd\t"
