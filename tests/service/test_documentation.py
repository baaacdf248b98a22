"""docs/serving.md compared with the service: examples, paths, statuses, limits, options and files."""

import configparser
import json
import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

import click
import numpy as np
import pytest
from tests.shared import encode_picture

from convscope.architecture import presets
from convscope.cli.serve import serve
from convscope.engine import initial_weights
from convscope.service import Limits, Served, create_app
from convscope.training.model import Model

from .conftest import Client

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CURLS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.startswith("curl ")]


@pytest.fixture(scope="module")
def digits() -> Client:
    """A client of a service with the model `digits` that the page's examples use."""
    network = presets.cnn()
    model = Model(network, initial_weights(network, 0), tuple("0123456789"), {"dataset": "mnist"})
    return Client(create_app([Served("digits", model)]))


def make_files() -> dict[str, bytes]:
    """Return the files that the examples send, by name."""
    picture = encode_picture(np.full((60, 40), 255, np.uint8))
    return {"seven.png": picture, "number.png": picture}


@pytest.mark.parametrize("line", CURLS)
def test_every_example_of_curl_is_answered(digits: Client, line: str):
    words, method, arguments = iter(shlex.split(line)[1:]), "GET", {}
    for word in words:
        if word == "--data-binary":
            method, arguments["content"] = "POST", make_files()[next(words).removeprefix("@")]
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            arguments["headers"] = {name: value}
        else:
            path = word.removeprefix("http://127.0.0.1:8000")
    assert digits.request(method, path, **arguments).status_code == 200


def test_the_page_has_examples_of_curl():
    assert len(CURLS) >= 4


def test_every_path_is_in_the_table_and_no_other(digits: Client):
    document = digits.get("/openapi.json").json()
    served = {f"{method.upper()} {path}" for path, operation in document["paths"].items() for method in operation}
    assert set(re.findall(r"`((?:GET|POST) /\w[^`]*)`", PAGE)) - {"GET /openapi.json"} == served


def test_every_status_of_the_document_is_explained(digits: Client):
    document = digits.get("/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    statuses = set().union(*(operation["responses"] for operation in operations))
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", PAGE, re.MULTILINE)
    explained = set(", ".join(rows).split(", "))
    assert explained == (statuses - {"200"}) | {"405"}  # 405, a wrong method, belongs to no operation


def test_the_limits_equal_the_documented_table():
    table = PAGE.partition("| limit | value | option |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    limits = replace(Limits(), threads=1)
    documented = [row[1].partition(",")[0].strip(" |") for row in rows]
    mib, million = 1 << 20, 1_000_000
    assert documented == [
        f"{limits.body_bytes // mib} MiB", f"{limits.held_bytes // mib} MiB", f"{limits.pixels // million} million",
        str(limits.requests), str(limits.connections), "one per core", f"{limits.body_seconds:g}",
        f"{limits.answer_seconds:g}", f"{limits.header_seconds:g}", f"{limits.send_seconds:g}",
        f"{limits.stop_seconds:g}",
    ]  # fmt: skip
    assert len(rows) == len(fields(limits))


def test_the_options_have_the_defaults_of_the_limits():
    options = {option.name: option for option in serve.params if isinstance(option, click.Option)}
    limits = Limits()
    assert options["deadline"].default == limits.answer_seconds
    named = {name for option in options.values() for name in option.opts}
    assert set(re.findall(r"`(--(?:limit|allow|host|port|threads|deadline)[\w-]*)", PAGE)) <= named


def test_the_unit_can_be_read_and_starts_the_command():
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(next(text for kind, text in BLOCKS if kind == "ini"))
    command = shlex.split(unit["Service"]["ExecStart"])
    assert command[1] == "serve"
    threads = serve.make_context("serve", command[2:]).params["threads"]
    fixed_mib, thread_mib = map(
        int, re.findall(r"^At most (\d+) MiB, and (\d+) MiB more for each thread", PAGE, re.MULTILINE)[0]
    )
    assert unit["Service"]["MemoryMax"] == "1G"
    assert fixed_mib + threads * thread_mib <= 0.9 * 1024  # a tenth is left in reserve
    assert float(unit["Service"]["TimeoutStopSec"]) >= Limits().stop_seconds + 5  # 5 s more, so that it ends by itself


def test_the_container_file_starts_the_command_and_checks_its_health(digits: Client):
    dockerfile = next(text for kind, text in BLOCKS if kind == "dockerfile")
    lines = dict(line.split(" ", 1) for line in dockerfile.splitlines())
    start = json.loads(lines["ENTRYPOINT"]) + json.loads(lines["CMD"])
    assert start[:2] == ["convscope", "serve"]
    assert serve.make_context("serve", start[2:]).params["allowed"] == ("localhost",)
    health = json.loads(lines["HEALTHCHECK"].removeprefix("CMD "))
    path = re.search(r"8000(/\S*)'", health[2])
    assert path is not None
    assert digits.get(path[1]).status_code == 200
