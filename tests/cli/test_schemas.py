"""The schema of what commands print with `--json`; `invoke` in tests/shared.py checks every output against it."""

import json
from pathlib import Path

import jsonschema
import pytest
from tests.shared import check_output, output_schema

from convscope.cli import _COMMANDS, main

from .conftest import invoke


def test_one_schema_defines_the_output_of_every_command_with_json():
    schema = output_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    commands = {name: main.get_command(None, name) for name in _COMMANDS}
    commands |= {f"data {name}": command for name, command in commands.pop("data").commands.items()}
    with_json = {name for name, command in commands.items() if any("--json" in param.opts for param in command.params)}
    assert with_json <= set(schema["$defs"])


@pytest.mark.slow
def test_outputs_of_commands_that_train_nothing_match_the_schema(small_folder: Path, shared_run: Path):
    for words in (
        ("summary", "deep"),
        ("data", "list"),
        ("data", "info", small_folder),
        ("evaluate", shared_run),
        ("compare", shared_run, shared_run / "baseline"),
    ):
        assert invoke(*words, "--json").exit_code == 0, words


def test_a_missing_key_a_wrong_type_and_an_unknown_key_violate_the_schema(shared_run: Path):
    printed = json.loads((shared_run.parent / "printed.json").read_text())
    check_output("run", printed)
    without_key = {key: value for key, value in printed.items() if key != "warnings"}
    with_wrong_type = printed | {"evaluation": printed["evaluation"] | {"accuracy": "high"}}
    for output in (without_key, with_wrong_type, printed | {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            check_output("run", output)
