"""A page with an added script in a real browser, which must not run it; `web/tests/browser` opens unchanged pages."""

import os
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


def open_page(browser: str, page: Path) -> tuple[str, list[str]]:
    """Return the HTML of the loaded page, and the lines of the browser's console."""
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
        *("--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=1000"),
        *(f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", page.as_uri()),
    ]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True, encoding="utf-8")
    return completed.stdout, [line for line in completed.stderr.splitlines() if "CONSOLE" in line]


def test_the_policy_lets_no_other_script_run(browser: str, runs: dict[str, RunContents], tmp_path: Path) -> None:
    page = write_report(tmp_path, runs["tiny"])
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", "<script>document.title = 'ran'</script></body>"), encoding="utf-8")
    dom, messages = open_page(browser, page)
    assert any("Content Security Policy" in message for message in messages)
    assert "<title>ran</title>" not in dom
