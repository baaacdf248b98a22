"""The Python code of README and the documentation, executed page by page, from top to bottom."""

import doctest
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.test_docs import USED, blocks, name

WITH_CODE = [page for page in USED if any(language == "python" for language, _ in blocks(page))]
NEEDED = {"keras.md": "keras", "pandas.md": "pandas", "pytorch.md": "torch", "tflite.md": "ai_edge_litert"}
"""The package that the code of a page needs and the extra `test` does not install."""


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, shared_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if (package := NEEDED.get(page.name)) and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shared_run, tmp_path / "run")
    names: dict[str, Any] = {}
    for number, (language, text) in enumerate(blocks(page)):
        if language != "python":
            continue
        if ">>>" not in text:
            exec(compile(text, f"{page.name}, block {number}", "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(text, names, f"{page.name}, block {number}", str(page), 0)
        failures = list[str]()
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=failures.append, clear_globs=False)
        assert not failures, "".join(failures)
        names = test.globs
