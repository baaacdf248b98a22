"""The choice of Keras's backend and the errors where one is missing; the packages are simulated."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError, RecipeError
from convscope.cli import main
from convscope.engine import check_engine, initial_weights, open_network
from convscope.engine.keras import backend


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A function that simulates installed packages, the content of keras.json and the variable KERAS_BACKEND."""

    def simulate(*packages, configured=None, chosen=None):
        monkeypatch.setattr(backend, "find_spec", lambda name: name in packages or None)
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured)
        if chosen is not None:
            monkeypatch.setenv("KERAS_BACKEND", chosen)

    return simulate


@pytest.mark.parametrize(
    ("packages", "configured", "chosen", "expected"),
    [
        (("keras", "tensorflow", "torch"), None, None, "tensorflow"),
        (("keras", "torch"), None, None, "torch"),
        (("keras", "jax", "torch"), '{"backend": "torch"}', None, "torch"),
        (("keras", "jax"), '{"backend": "torch"}', None, "jax"),
        (("keras", "jax"), '{"backend": "numpy"}', None, "jax"),
        (("keras", "jax"), "[[[", "", "jax"),
        (("keras", "jax", "torch"), '{"backend": "torch"}', "jax", "jax"),
    ],
)
def test_the_backend_is_the_requested_or_an_installed_one(installed, packages, configured, chosen, expected):
    installed(*packages, configured=configured, chosen=chosen)
    assert backend.backend_name() == expected


def test_the_backend_of_an_imported_keras_is_used(installed, monkeypatch):
    installed("keras", "jax", "torch", chosen="torch")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: "jax")))
    assert backend.backend_name() == "jax"


@pytest.mark.parametrize(
    ("packages", "chosen", "message"),
    [
        ((), None, "engine keras needs Keras, which is not installed"),
        (("torch",), "torch", "engine keras needs Keras, which is not installed"),
        (("keras",), None, "engine keras needs tensorflow, jax or torch, none is installed"),
        (("keras", "torch"), "jax", "KERAS_BACKEND is 'jax', which is not installed"),
        (("keras", "torch"), "numpy", "KERAS_BACKEND is 'numpy'; engine keras needs one of tensorflow, jax, torch"),
    ],
)
def test_a_missing_package_is_named_with_its_installation(installed, packages, chosen, message):
    installed(*packages, chosen=chosen)
    with pytest.raises(ConvscopeError, match=message) as error:
        check_engine("keras")
    assert chosen == "numpy" or re.search(
        '; run pip install "keras.*" "tensorflow.*" or pip install "jax.*" or', str(error.value)
    )
    backend.load_keras.cache_clear()
    with pytest.raises(ConvscopeError, match=message):
        open_network(cs.presets.ann(), initial_weights(cs.presets.ann(), 0), "keras")


def test_a_run_by_an_engine_that_is_missing_ends_in_one_line(installed, small_folder, tmp_path, capsys):
    installed()
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as end:
        main(["run", "--dataset", str(small_folder), "--engine", "keras", "--out", str(out)])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: engine keras needs Keras")
    assert error.count("\n") == 1
    assert not out.exists()


def test_an_invalid_precision_is_refused_first(installed):
    installed()
    with pytest.raises(RecipeError, match="engine keras computes in float32; use engine native or precision float32"):
        open_network(cs.presets.ann(), initial_weights(cs.presets.ann(), 0), "keras", precision="bfloat16")


@pytest.mark.slow
def test_neither_keras_nor_a_backend_is_imported_with_convscope():
    code = (
        "import sys, convscope, convscope.engine.keras, convscope.export.keras;"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'h5py') if name in sys.modules])"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"
