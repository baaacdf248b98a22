"""The example notebooks: how they are committed, and their cells run from top to bottom.

tests/interoperability runs those that need Keras or train for long.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import convscope as cs

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_results_and_with_names_for_its_cells(path: Path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z-]+", cell_id) for cell_id in ids)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "title"}


def execute(notebook: Path, folder: Path) -> str:
    """Execute a notebook in `folder`, where its files stay, and return it as an HTML page with the dark theme."""
    shutil.copy(notebook, folder)
    completed = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--HTMLExporter.theme=dark", notebook.name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    page = (folder / notebook.with_suffix(".html").name).read_text(encoding="utf-8")
    assert 'data-jp-theme-light="false"' in page
    assert 'data-mime-type="application/vnd.jupyter.stderr"' not in page
    assert "Traceback" not in page
    return page


def find_frames(page: str) -> list[dict[str, str | None]]:
    """Return the attributes of each `iframe` of a page."""
    frames, parser = list[dict[str, str | None]](), HTMLParser()
    parser.handle_starttag = lambda tag, attrs: frames.append(dict(attrs)) if tag == "iframe" else None
    parser.feed(page)
    return frames


@pytest.mark.slow
def test_the_notebook_on_own_arrays_shows_its_report_in_six_cells(tmp_path: Path):
    notebook = EXAMPLES / "own_arrays.ipynb"
    assert len(json.loads(notebook.read_text(encoding="utf-8"))["cells"]) == 6
    page = execute(notebook, tmp_path)
    (report,) = (tmp_path / "runs").glob("*/report.html")
    (frame,) = find_frames(page)
    assert (frame["width"], frame["sandbox"]) == ("900", "allow-scripts allow-downloads")
    assert frame["srcdoc"] == report.read_text(encoding="utf-8")
    assert "Largest loss of accuracy: " in page  # the robustness, measured when it was asked for


def run_cell(code: str, names: dict[str, object]) -> None:
    """Run a cell, and render its last expression as HTML or text, as a notebook does."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        assert getattr(value, "_repr_html_", value.__repr__)()


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "cut"), [("mnist_cnn", {}), ("is_my_change_better", {"(1000)": "(150)"})])
def test_the_cells_of_a_notebook_run(
    notebook: str, cut: dict[str, str], small_mnist: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Run a notebook with few images and one epoch; tests/interoperability checks its results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cs, "load_dataset", lambda _: small_mnist)
    monkeypatch.setattr(cs.recipes, "classic", cs.Recipe(epochs=1))
    run_cells(notebook, cut)


@pytest.mark.slow
def test_published_figures_follow_from_published_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(EXAMPLES)
    run_cells("published_answers", {})


def run_cells(notebook: str, cut: dict[str, str]) -> None:
    """Run the code of a notebook in which each key of `cut` is replaced by its shorter value."""
    names: dict[str, object] = {}
    for cell in json.loads((EXAMPLES / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            code = "".join(cell["source"])
            for long, short in cut.items():
                code = code.replace(long, short)
            run_cell(code, names)
