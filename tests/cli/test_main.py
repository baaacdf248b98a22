"""The command line itself: help, errors, and `convscope summary`."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from convscope.cli import main

from .conftest import invoke, run_fails, succeed


def test_help_is_printed_without_importing_what_it_does_not_need():
    code = (
        "import sys, convscope.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'matplotlib', 'scipy', 'PIL', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert "Usage:" in completed.stdout


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run", "--nonsense"], ["run", "--engine", "abacus"], ["evaluate"]]
)
def test_a_bad_command_line_exits_2(arguments: list[str]):
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_an_error_of_the_system_names_the_file(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("convscope.cli.summary.architecture_for", refuse)
    completed = CliRunner().invoke(main, ["summary", "cnn"])
    assert (completed.exit_code, completed.stderr) == (
        1,
        "Error: /some/file: cannot be used (Permission denied); fix this and run the command again\n",
    )


def test_summary_as_json_is_an_architecture_file_whose_edits_count(tmp_path):
    value = succeed("summary", "cnn", "--json")
    value["layers"][0]["filters"] = 5
    (tmp_path / "mine.json").write_text(json.dumps(value))
    assert "(None, 26, 26, 5)" in succeed("summary", tmp_path / "mine.json")
    (tmp_path / "mine.json").write_text(json.dumps(value | {"parameters": 1}))
    error = run_fails("summary", tmp_path / "mine.json")
    assert "an architecture has no 'parameters'; it has name, input, layers" in error


def test_summary_takes_other_sizes_and_writes_the_diagram(tmp_path):
    arguments = ["summary", "cnn", "--image", "20x32x3", "--classes", "26", "--svg", str(tmp_path / "d.svg"), "--json"]
    value = json.loads(invoke(*arguments).output)
    assert [value["input"][name] for name in ("height", "width", "channels")] == [20, 32, 3]
    assert value["layers"][-1]["units"] == 26
    assert (tmp_path / "d.svg").read_text().startswith("<svg")
    again = CliRunner().invoke(main, arguments)  # the diagram exists already
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)


def test_an_image_size_of_any_length_is_read_or_refused():
    for digits, code in ((5000, 2), (9, 1)):  # Python's int() takes 4,300 digits; 9 are read, but are too large
        assert invoke("summary", "cnn", "--image", f"{'9' * digits}x28").exit_code == code
