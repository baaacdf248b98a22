"""A run as lines of Python that give it again, for a page to show."""

from collections.abc import Mapping
from typing import Any

from convscope.architecture import Architecture
from convscope.architecture.presets import is_preset
from convscope.base.errors import RunError
from convscope.base.plain import from_plain
from convscope.base.tables import printable
from convscope.interchange.scaling import Scaling
from convscope.recipes import RECIPES


def python_lines(payload: dict[str, Any]) -> str:
    """Return the lines that load the data of a run, and train or read its network."""
    record, name, recipe = payload["record"], payload["model"]["architecture"]["name"], payload["recipe"]
    dataset = record.get("dataset", {})
    argument = dataset.get("argument", payload["data"]["name"]) if isinstance(dataset, dict) else str(dataset)
    loading = f"data = cs.load_dataset({', '.join([repr(printable(argument)), *_loading_arguments(dataset)])})"
    if "imported" in record:
        imported = record["imported"]
        arguments = ", ".join([repr(printable(imported["file"])), "class_names=data.class_names", *_stated(imported)])
        read = f"model = cs.import_model({arguments})"
        return "\n".join(["import convscope as cs", "", loading, read, "print(cs.evaluate(model, data.test))"])
    if "members" in record:
        paths = [f"    {printable(member['run'])!r}," for member in record["members"]]
        joined = "model = cs.ensemble([cs.load_model(run) for run in runs])"
        lines = ["runs = [", *paths, "]", joined, "print(cs.evaluate(model, data.test))"]
        return "\n".join(["import convscope as cs", "", loading, *lines])
    architecture, settings = f"cs.presets.{name}", f"cs.recipes.{recipe['name']}"
    needs_file = False
    if not is_preset(Architecture.from_dict(payload["model"]["architecture"])):
        architecture, needs_file = 'cs.Architecture.from_dict(run["architecture"])', True
    known = RECIPES.get(recipe["name"])
    if known is None or known.to_dict() != recipe:
        settings, needs_file = 'cs.Recipe.from_dict(run["recipe"])', True
    lines = ["import convscope as cs", ""]
    if needs_file:
        lines = ["import json", *lines, 'run = json.load(open("run.json"))']
    return "\n".join(
        [
            *lines,
            loading,
            f"model, history = cs.train({architecture}, data, {settings}, seed={record.get('seed', 0)})",
            "print(cs.evaluate(model, data.test))",
        ]
    )


def _loading_arguments(dataset: Any) -> list[str]:
    """Return the arguments by which `load_dataset` gives the data of a run again, beside the path."""
    options = dataset.get("options") if isinstance(dataset, dict) else None
    if not isinstance(options, dict):
        return []
    words = []
    if options["test_fraction"] is not None:
        words += [f"test_fraction={options['test_fraction']}", f"seed={options['seed']}"]
    if options["image_size"] is not None:
        words += [f"image_size={tuple(options['image_size'])}"]
    if options.get("skip_damaged"):
        words += ["skip_damaged=True"]
    return words


def _stated(imported: Mapping[str, Any]) -> list[str]:
    """Return the arguments by which `import_model` reads the file of a run as it was read."""
    words = []
    if "image_shape" in imported:
        words.append(f"image_shape={tuple(imported['image_shape'])}")
    if "output" in imported:
        words.append(f"output={printable(imported['output'])!r}")
    if "scaling" in imported:
        words.append(f"scaling={_scaling(imported['scaling'])}")
    return words


def _scaling(value: Any) -> str:
    """Return a scaling, as plain JSON from a file, as Python writes it."""
    try:
        scaling, plain = from_plain(Scaling, value, "scaling", RunError), Scaling()
    except (RunError, TypeError, ValueError) as error:
        raise RunError(f"run.json: damaged ({error}); use another copy of the run") from error
    given = {name: getattr(scaling, name) for name in value if getattr(scaling, name) != getattr(plain, name)}
    return f"cs.Scaling({', '.join(f'{name}={one!r}' for name, one in given.items())})"
