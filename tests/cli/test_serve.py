"""`convscope serve`: its options, its errors, and a service that it starts."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from convscope.architecture import presets
from convscope.cli.serve import serve
from convscope.engine import initial_weights
from convscope.storage import save_model
from convscope.training.model import Model


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `dense` with the untrained model of 8 × 8 pixels and the classes a and b."""
    folder = tmp_path_factory.mktemp("runs") / "dense"
    folder.mkdir()
    network = presets.ann((8, 8, 1), 2)
    save_model(Model(network, initial_weights(network, 0), ("a", "b")), folder / "model.safetensors")
    return folder


@pytest.mark.slow
def test_it_serves_until_stopped_and_prints_its_address(run: Path):
    command = [sys.executable, "-m", "convscope", "serve", str(run), f"b={run}"]
    with subprocess.Popen(
        [*command, "--port", "0", "--json", "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            text += process.stdout.readline()
        started = json.loads(text)
        assert [model["name"] for model in started["models"]] == ["dense", "b"]
        assert httpx.get(started["address"] + "/health", timeout=600).json() == {"ready": True}
        completed = httpx.post(started["address"] + "/v1/predict?model=b", content=b"no picture", timeout=600)
        assert completed.status_code == 400
        process.terminate()
        rest, log = process.communicate(timeout=600)
    assert (process.returncode, rest) == (0, "")
    assert [json.loads(line)["message"] for line in log.splitlines()].count("request") == 2  # the get and the post


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_printed_curl_command_works_as_printed(run: Path):
    command = [sys.executable, "-m", "convscope", "serve", str(run), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first, printed = process.stdout.readline(), process.stdout.readline().strip()
        assert first.startswith("Serving dense at http://127.0.0.1:")
        completed = subprocess.run(printed, shell=True, capture_output=True, text=True, check=False)
        process.terminate()
        process.communicate(timeout=600)
    response = json.loads(completed.stdout)
    assert (response["model"], response["size"]) == ("dense", [28, 28])
    assert response["class_name"] in ("a", "b")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_missing_packages_are_named_with_the_next_step(run: Path, missing: str, monkeypatch: pytest.MonkeyPatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("convscope.cli.serve.find_spec", lambda name: None if name == missing else find_spec(name))
    completed = CliRunner().invoke(serve, [str(run)])
    assert completed.exit_code == 1
    words = completed.stderr.replace('"', "").split()
    assert " ".join(words[:8]) == f"Error: {missing} is not installed; run pip install"
    packages = [re.split("[<>]", word)[0] for word in words[8:]]  # without version limits
    assert packages == ["fastapi", "h11", "pydantic", "starlette", "uvicorn"]


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ([], {"localhost", "127.0.0.1", "[::1]"}),
        (["--host", "0.0.0.0"], None),
        (
            ["--host", "0.0.0.0", "--allow-host", "Digits.example"],
            {"localhost", "127.0.0.1", "[::1]", "digits.example"},
        ),
    ],
)
def test_it_answers_to_the_names_of_this_machine_by_default(
    run: Path, options: list[str], hosts: set[str] | None, monkeypatch: pytest.MonkeyPatch
):
    allowed_hosts = []
    monkeypatch.setattr("convscope.service.create_app", lambda _models, _limits, hosts: allowed_hosts.append(hosts))
    monkeypatch.setattr("convscope.service.serve", lambda *_arguments, **_named: None)
    assert CliRunner().invoke(serve, [str(run), *options]).exit_code == 0
    assert allowed_hosts == [hosts]  # None allows every name
