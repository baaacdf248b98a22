"""A run as lines of Python that give it again, for a page to show."""

from msgspec.structs import asdict

from convscope.architecture import Architecture
from convscope.architecture.presets import is_preset
from convscope.base.tables import printable
from convscope.data.datasets import LoadOptions
from convscope.interchange.scaling import Scaling
from convscope.recipes import RECIPES
from convscope.report.records import PageFacts
from convscope.storage.records import ImportRecord


def python_lines(page: PageFacts) -> str:
    """Return the lines that load the data of a run, and train or read its network."""
    record, recipe, dataset = page.record, page.recipe, page.record.dataset
    arguments = [repr(printable(dataset.argument)), *_loading_arguments(dataset.options)]
    loading = f"data = cs.load_dataset({', '.join(arguments)})"
    if imported := record.imported:
        arguments = [repr(printable(imported.file)), "class_names=data.class_names", *_stated(imported)]
        read = f"model = cs.import_model({', '.join(arguments)})"
        return "\n".join(["import convscope as cs", "", loading, read, "print(cs.evaluate(model, data.test))"])
    if record.members:
        paths = [f"    {printable(member.run)!r}," for member in record.members]
        joined = "model = cs.ensemble([cs.load_model(run) for run in runs])"
        lines = ["runs = [", *paths, "]", joined, "print(cs.evaluate(model, data.test))"]
        return "\n".join(["import convscope as cs", "", loading, *lines])
    architecture, settings = f"cs.presets.{page.model.architecture['name']}", f"cs.recipes.{recipe['name']}"
    needs_file = False
    if not is_preset(Architecture.from_dict(page.model.architecture)):
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
            f"model, history = cs.train({architecture}, data, {settings}, seed={record.seed})",
            "print(cs.evaluate(model, data.test))",
        ]
    )


def _loading_arguments(options: LoadOptions) -> list[str]:
    """Return the arguments by which `load_dataset` gives the data of a run again, beside the path."""
    words = []
    if options.test_fraction is not None:
        words += [f"test_fraction={options.test_fraction}", f"seed={options.seed}"]
    if options.image_size is not None:
        words += [f"image_size={options.image_size}"]
    return [*words, "skip_damaged=True"] if options.skip_damaged else words


def _stated(imported: ImportRecord) -> list[str]:
    """Return the arguments by which `import_model` reads the file of a run as it was read."""
    words = []
    if imported.image_shape:
        words.append(f"image_shape={imported.image_shape}")
    if imported.output:
        words.append(f"output={printable(imported.output)!r}")
    if imported.scaling:
        plain, stated = Scaling(), asdict(imported.scaling)
        values = [f"{name}={value!r}" for name, value in stated.items() if value != getattr(plain, name)]
        words.append(f"scaling=cs.Scaling({', '.join(values)})")
    return words
