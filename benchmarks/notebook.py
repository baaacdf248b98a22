"""Time the notebook's steps in Keras, executed and exported as dark HTML by nbconvert: seconds and peak memory.

    python benchmarks/notebook.py        (after `make peers`)

It measures the whole process, imports included, as a user meets it. Peak memory is that of the largest single process,
the notebook's kernel; nbconvert's own comes on top of it.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import processes

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parent / ".venv-peers" / "bin" / "python"


def versions() -> dict[str, str]:
    """Read the versions of the packages that execute the notebook."""
    names = ["tensorflow-cpu", "keras", "nbconvert"]
    code = f"import json, importlib.metadata as m; print(json.dumps({{name: m.version(name) for name in {names}}}))"
    return processes.run_json([PYTHON, "-c", code], FOLDER)


def measure() -> dict[str, Any]:
    """Execute the notebook once."""
    with TemporaryDirectory() as folder:
        options = ["--to", "html", "--execute", "--theme", "dark", "--output-dir", folder]
        done = processes.run(
            [PYTHON, "-m", "nbconvert", *options, FOLDER / "peers" / "keras_notebook.ipynb"],
            FOLDER / "peers",
            {"KERAS_BACKEND": "tensorflow", "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder},
        )
        page = Path(folder) / "keras_notebook.html"
        return {
            "seconds": [done.seconds],
            "peak_memory_bytes": done.peak_memory_bytes,
            "page_bytes": page.stat().st_size,
        }


if __name__ == "__main__":
    print(json.dumps(measure()))
