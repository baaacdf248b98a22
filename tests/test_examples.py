"""The example notebooks: as they are committed, and executed from top to bottom as their reader would.

The one that needs Keras is executed by tests/interoperability.
"""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOK = EXAMPLES / "mnist_cnn.ipynb"
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


def executed(notebook: Path, folder: Path) -> str:
    """Return a notebook as a dark HTML page, executed in `folder`, where what it saves stays."""
    shutil.copy(notebook, folder)
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--HTMLExporter.theme=dark", notebook.name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (folder / notebook.with_suffix(".html").name).read_text(encoding="utf-8")
    assert 'data-jp-theme-light="false"' in page
    assert 'data-mime-type="application/vnd.jupyter.stderr"' not in page
    assert "Traceback" not in page
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("notebook")
    page = executed(NOTEBOOK, folder)
    assert (folder / "mnist_cnn.safetensors").is_file()
    return page


@pytest.mark.slow
def test_the_notebook_reaches_what_its_network_reaches(page: str):
    accuracy = re.search(r"Accuracy on the test split of mnist: ([\d.]+) %", page)
    assert accuracy is not None
    assert 98.6 < float(accuracy[1]) < 99.5
    errors = re.search(r"cnn makes (\d+) errors and ann (\d+)", page)
    assert errors is not None
    assert int(errors[1]) < int(errors[2])


@pytest.mark.slow
def test_the_notebook_shows_data_network_curves_matrix_kernels_and_maps(page: str):
    code = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    drawn = sum("report.draw_" in "".join(cell["source"]) for cell in code)
    assert drawn > 5
    assert page.count("<figcaption style=") >= drawn + 2  # and the first images of both splits
    assert "max_pooling2d_1 (MaxPooling2D)" in page
    assert "<title>A network of 7 layers, from images of 28 × 28 × 1 to 10 classes</title>" in page
    assert "test_accuracy" in page


def frames_of(page: str) -> list[dict[str, str | None]]:
    """Return the attributes of each `iframe` of a page."""
    found, parser = list[dict[str, str | None]](), HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(dict(attrs)) if tag == "iframe" else None
    parser.feed(page)
    return found


@pytest.mark.slow
def test_the_notebook_on_own_arrays_shows_its_report_in_six_cells(tmp_path: Path):
    notebook = EXAMPLES / "own_arrays.ipynb"
    assert len(json.loads(notebook.read_text(encoding="utf-8"))["cells"]) == 6
    page = executed(notebook, tmp_path)
    (report,) = (tmp_path / "runs").glob("*/report.html")
    (frame,) = frames_of(page)
    assert (frame["width"], frame["sandbox"]) == ("900", "allow-scripts allow-downloads")
    assert frame["srcdoc"].replace('<base href="about:srcdoc">', "", 1) == report.read_text(encoding="utf-8")
    assert "lowers accuracy most" in page  # the robustness, measured when it was asked for


@pytest.mark.slow
def test_the_notebook_on_changes_comes_to_a_verdict(tmp_path: Path):
    page = executed(EXAMPLES / "is_my_change_better.ipynb", tmp_path)
    assert "% fewer errors than" in page
    assert "Variants of normalized, recipe" in page
    assert page.count("<svg") + page.count("image/png") >= 3
