"""The page in a real browser, from a disk and without a network."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from convscope.report import RunContents, write_report

pytestmark = pytest.mark.slow

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="session")
def browser() -> str:
    if BROWSER is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no chromium is installed; continuous integration must look at the page in a browser")
        pytest.skip("no chromium is installed")
    return BROWSER


def open_page(browser: str, page: Path, *arguments: str) -> tuple[str, list[str]]:
    """Return the page's elements once it has loaded, and what it said on the console."""
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
        *("--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=1000"),
        *(f"--user-data-dir={page.parent / 'profile'}", *arguments, "--dump-dom", page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True, encoding="utf-8")
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("name", ["cnn", "hostile"])
def test_the_page_opens_from_a_disk_without_a_console_message(
    browser: str, runs: dict[str, RunContents], tmp_path: Path, name: str
) -> None:
    dom, messages = open_page(browser, write_report(tmp_path, runs[name]))
    assert messages == []
    assert "How to reproduce" in dom
    if name == "hostile":  # its class name has made no element
        assert "onerror=alert(1)&gt;" in dom
        assert "<img src=" not in re.sub(r'<img [^>]*src="data:[^>]*>', "", dom)


def test_a_message_on_the_console_would_be_seen(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    page = write_report(tmp_path, runs["tiny"])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", '<img src="https://example.org/x.png"></body>'), encoding="utf-8")
    _, messages = open_page(browser, page)
    assert any("Content Security Policy" in message for message in messages)


def with_probe(page: str, script: str) -> str:
    """Return a page with one more script at its end, which its policy lets run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    return page.replace("</body>", f"<script>{script}</script></body>")


def look_through_frames(browser: str, pages: list[Path], width: int, expression: str) -> list[str]:
    """Return what an expression about `page`, the document of a frame, gives for each page, in frames of one page."""
    outer = pages[0].parents[1] / "outer.html"
    frames = "".join(
        f'<iframe src="{page.relative_to(outer.parent)}" width="{width}" height="800"></iframe>' for page in pages
    )
    look = f"({{document: page}}) => {expression}"
    outer.write_text(
        f'{frames}<script>addEventListener("load", () => {{'
        f'document.title = "found " + Array.from(frames, {look}).join("; ");}})</script>'
    )
    dom, _ = open_page(browser, outer, "--allow-file-access-from-files", "--blink-settings=preferredColorScheme=1")
    found = re.search("<title>found (.*)</title>", dom)
    assert found
    return found[1].split("; ")


def test_a_narrow_page_scrolls_downwards_only(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    pages = [write_report(tmp_path / name, runs[name]) for name in ("cnn", "hostile", "colour")]
    widths = "page.documentElement.scrollWidth + ' of ' + page.documentElement.clientWidth"
    for found in look_through_frames(browser, pages, 360, widths):  # the width of a telephone
        needed, there = map(int, found.split(" of "))
        assert 300 < needed <= there


def test_the_theme_is_the_systems_until_the_reader_chooses(
    browser: str, runs: dict[str, RunContents], tmp_path: Path
) -> None:
    pages = []
    for chosen in ("light", "dark", "auto"):
        pages.append(write_report(tmp_path / chosen, runs["tiny"]))
        text = pages[-1].read_text(encoding="utf-8").replace('value="auto" checked', 'value="auto"')
        probe = f"document.getElementById('theme-{chosen}').checked = true"
        pages[-1].write_text(with_probe(text, probe), encoding="utf-8")
    style = "getComputedStyle(page.documentElement)"
    found = look_through_frames(browser, pages, 900, f"{style}.colorScheme + {style}.getPropertyValue('--paper')")
    # A headless Chromium says that its system is light.
    assert found == ["light#fbfaf7", "dark#14171c", "light#fbfaf7"]


def test_the_policy_lets_the_engine_and_its_workers_start(
    browser: str, runs: dict[str, RunContents], tmp_path: Path
) -> None:
    page = write_report(tmp_path, runs["tiny"])
    probe = (
        "new Worker(URL.createObjectURL(new Blob(['0'])));"
        "const bytes = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);"  # the smallest module
        "document.title = `compiled ${new WebAssembly.Module(bytes)}`;"
    )
    page.write_text(with_probe(page.read_text(encoding="utf-8"), probe), encoding="utf-8")
    dom, messages = open_page(browser, page)
    assert messages == []
    assert "<title>compiled [object WebAssembly.Module]</title>" in dom


def test_the_policy_lets_no_other_script_run(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    page = write_report(tmp_path, runs["tiny"])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", "<script>document.title = 'ran'</script></body>"), encoding="utf-8")
    dom, messages = open_page(browser, page)
    assert any("Content Security Policy" in message for message in messages)
    assert "<title>ran</title>" not in dom
