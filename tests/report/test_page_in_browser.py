"""The page in a real browser, from a disk and without a network."""

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


@pytest.mark.parametrize("name", ["cnn", "hostile", "tiny"])
def test_the_page_opens_from_a_disk_without_a_console_message(
    browser: str, runs: dict[str, RunContents], tmp_path: Path, name: str
) -> None:
    dom, messages = open_page(browser, write_report(tmp_path, runs[name]))
    assert messages == []
    assert "How to reproduce" in dom


def test_a_message_on_the_console_would_be_seen(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    page = write_report(tmp_path, runs["tiny"])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", '<img src="https://example.org/x.png"></body>'), encoding="utf-8")
    _, messages = open_page(browser, page)
    assert any("Content Security Policy" in message for message in messages)


def test_a_hostile_class_name_makes_no_element(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    dom, _ = open_page(browser, write_report(tmp_path, runs["hostile"]))
    assert "onerror=alert(1)&gt;" in dom
    assert "<img src=" not in re.sub(r'<img [^>]*src="data:[^>]*>', "", dom)


@pytest.mark.parametrize("name", ["cnn", "hostile", "colour"])
def test_a_narrow_page_scrolls_downwards_only(
    browser: str, runs: dict[str, RunContents], tmp_path: Path, name: str
) -> None:
    page = write_report(tmp_path, runs[name])
    # A second page looks at it through a frame of the width of a telephone.
    outer = tmp_path / "outer.html"
    outer.write_text(
        f'<iframe src="{page.name}" width="360" height="800"></iframe><script>addEventListener("load", () => {{'
        "const root = frames[0].document.documentElement;"
        'document.title = "widths " + root.scrollWidth + " " + root.clientWidth;})</script>'
    )
    dom, _ = open_page(browser, outer, "--allow-file-access-from-files")
    widths = re.search(r"widths (\d+) (\d+)", dom)
    assert widths
    assert int(widths[1]) <= int(widths[2])


@pytest.mark.parametrize(("chosen", "scheme"), [("light", "light"), ("dark", "dark"), ("auto", "light")])
def test_the_theme_is_the_systems_until_the_reader_chooses(
    browser: str, runs: dict[str, RunContents], tmp_path: Path, chosen: str, scheme: str
) -> None:
    page = write_report(tmp_path, runs["tiny"])
    text = page.read_text(encoding="utf-8").replace('value="auto" checked', 'value="auto"')
    probe = (
        f"<script>document.getElementById('theme-{chosen}').checked = true;"
        "const style = getComputedStyle(document.documentElement);"
        "document.title = `theme ${style.colorScheme} ${style.getPropertyValue('--paper')}`</script>"
    )
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    paper = {"light": "#fbfaf7", "dark": "#14171c"}[scheme]
    # A headless Chromium says that its system is light.
    dom, _ = open_page(browser, page, "--blink-settings=preferredColorScheme=1")
    assert f"<title>theme {scheme} {paper}</title>" in dom


def test_the_policy_lets_the_engine_and_its_workers_start(
    browser: str, runs: dict[str, RunContents], tmp_path: Path
) -> None:
    page = write_report(tmp_path, runs["tiny"])
    probe = (
        "<script>new Worker(URL.createObjectURL(new Blob(['0'])));"
        "const bytes = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);"  # the smallest module
        "document.title = `compiled ${new WebAssembly.Module(bytes)}`;</script>"
    )
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    dom, messages = open_page(browser, page)
    assert messages == []
    assert "<title>compiled [object WebAssembly.Module]</title>" in dom
