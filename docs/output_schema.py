"""The JSON schema of what the commands print with `--json`: from the types of their records.

What has no record yet stands in output_by_hand.json.
"""

import json
from pathlib import Path
from typing import Any

from msgspec.json import schema_components

from convscope.cli import records as cli
from convscope.evidence.comparison.records import CompareOutput
from convscope.experiment.records import ExperimentOutput
from convscope.experiment.sweep.records import SweepOutput
from convscope.runs.playground import Playground

BY_HAND = Path(__file__).parent / "output_by_hand.json"
OUTPUTS = {
    "card": cli.CardOutput,
    "compare": CompareOutput,
    "ensemble": cli.EnsembleOutput,
    "evaluate": cli.EvaluateOutput,
    "experiment": ExperimentOutput,
    "figures": cli.FiguresOutput,
    "log": cli.LogOutput,
    "playground": Playground,
    "run": cli.RunOutput,
    "serve": cli.ServeOutput,
    "summary": cli.SummaryOutput,
    "sweep": SweepOutput,
    "train": cli.TrainOutput,
}
"""Of each command with a record, the type that it prints."""

SHARED = (cli.ReportOutput,)  # what output_by_hand.json refers to


def output_schema() -> dict[str, Any]:
    """Return the schema: under `$defs` a definition for each command, under its name, and those that they share."""
    references, definitions = schema_components((*OUTPUTS.values(), *SHARED), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the commands of convscope print with --json",
        "description": "`$defs` has one definition per command, under its name, such as `run` or `data info`, and "
        "those that they share. Written by docs/generate.py from the types of the records.",
        "$defs": {
            **dict(zip(OUTPUTS, references, strict=False)),
            **definitions,
            **json.loads(BY_HAND.read_text(encoding="utf-8")),
        },
    }
