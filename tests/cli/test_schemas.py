"""The schema of what commands print with `--json`. `invoke` checks every such output of the other tests against it."""

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
def test_outputs_without_a_training_are_as_the_schema_says(small_folder: Path, shared_run: Path):
    for words in (
        ("summary", "deep"),
        ("data", "list"),
        ("data", "show", small_folder),
        ("data", "info", small_folder),
        ("evaluate", shared_run),
        ("compare", shared_run, shared_run / "baseline"),
    ):
        assert invoke(*words, "--json").exit_code == 0, words


def test_a_run_without_a_key_or_with_another_type_is_not_as_the_schema_says(shared_run: Path):
    printed = json.loads((shared_run.parent / "printed.json").read_text())
    check_output("run", printed)
    less = {key: value for key, value in printed.items() if key != "warnings"}
    wrong = printed | {"evaluation": printed["evaluation"] | {"accuracy": "high"}}
    for value in (less, wrong, printed | {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            check_output("run", value)
