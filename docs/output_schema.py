"""Make the JSON schema of the documents that the commands print with `--json`, from the types of their records."""

from itertools import chain
from typing import Any

from msgspec.json import schema_components

from convscope.cli import records as cli
from convscope.data.datasets.named.entries import NamedDataset
from convscope.data.inspection import DataInfo
from convscope.evidence.comparison.planning import PlanRecord
from convscope.evidence.difference import NetworkDifference
from convscope.experiment.records import ExperimentOutput
from convscope.experiment.sweep.records import SweepOutput
from convscope.prediction.records import LabelledPredictionRecord, PredictionRecord, StringsRecord, UnreadPicture
from convscope.runs.comparing import CompareOutput
from convscope.runs.fixing import FixedData

OUTPUTS: dict[str, type | tuple[type, ...]] = {
    "compare": CompareOutput,
    "diff": NetworkDifference,
    "plan": PlanRecord,
    "data fix": FixedData,
    "data info": DataInfo,
    "data list": NamedDataset,
    "ensemble": cli.EnsembleOutput,
    "evaluate": cli.EvaluateOutput,
    "experiment": ExperimentOutput,
    "export": cli.ExportOutput,
    "import": (cli.ImportOutput, cli.ImportedModelOutput),
    "predict": (PredictionRecord, LabelledPredictionRecord, StringsRecord, UnreadPicture),
    "report": cli.ReportOutput,
    "run": cli.RunOutput,
    "serve": cli.ServeOutput,
    "sweep": SweepOutput,
    "train": cli.TrainOutput,
}
"""The type of the record that each command prints; of several types, it prints one."""

LISTS = ("data list", "predict")
"""The commands that print a list of records."""

PAYLOAD = {
    "type": "object",
    "description": "With --payload: the content of the report, see payload.schema.json.",
    "required": ["model", "data"],
}
ARCHITECTURE = {
    "type": "object",
    "description": "See architecture.schema.json.",
    "required": ["name", "input", "layers"],
}


def output_schema() -> dict[str, Any]:
    """Make the schema, whose `$defs` has a definition for each command under its name, and those that they share."""
    types_of_command = {name: types if isinstance(types, tuple) else (types,) for name, types in OUTPUTS.items()}
    all_types = list(dict.fromkeys(chain.from_iterable(types_of_command.values())))
    references, definitions = schema_components(all_types, ref_template="#/$defs/{name}")
    reference_to = dict(zip(all_types, references, strict=True))
    commands = {name: _any_of([reference_to[record] for record in types]) for name, types in types_of_command.items()}
    commands["summary"] = ARCHITECTURE
    commands["report"] = {"anyOf": [commands["report"], PAYLOAD]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the commands of convscope print with --json",
        "description": "`$defs` has one definition per command, under its name, such as `run` or `data info`, and "
        "those that they share. Written by docs/generate.py from the types of the records.",
        "$defs": {
            **{
                name: {"type": "array", "items": schema} if name in LISTS else schema
                for name, schema in commands.items()
            },
            **definitions,
        },
    }


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
