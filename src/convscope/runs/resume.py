"""The settings that a run was started with: a resumed run keeps them, and no argument may ask for others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from convscope.base.errors import RunError
from convscope.data.datasets import LoadOptions, Splits
from convscope.experiment import argument_of
from convscope.runs.choices import PRESET, architecture_for, recipe_for
from convscope.runs.run_json import JobOptions
from convscope.storage import RunFolder

_OF_RECIPE = (
    "epochs",
    "batch_size",
    "optimizer",
    "validation_fraction",
    "early_stopping",
    "class_weights",
    "precision",
)


def options_of(folder: RunFolder) -> JobOptions | None:
    """Return the options of the main job that the run was begun with; None of a run that was only to be trained.

    Raises:
        RunError: if they are damaged.
    """
    if "job" not in folder.record:
        return None
    try:
        return JobOptions.from_record(folder.record["job"])
    except (RunError, TypeError, ValueError) as error:
        file = folder.path / "run.json"
        raise RunError(f"{file}: job: {error}; use another copy of the run or start it again") from error


def check_same(folder: RunFolder, splits: Splits, asked: Mapping[str, Any]) -> None:
    """Check that no argument asks for other settings than those of the run in `folder`; threads may differ.

    Raises:
        RunError: if there is such an argument.
    """
    recorded = _recorded(folder)
    if "width" in asked:
        asked = {"architecture": PRESET, **asked}
    for name, value in asked.items():
        if name in ("threads", "width"):  # a width is compared as a part of the architecture
            continue
        begun = recorded[name]
        if (meant := _meant(name, value, folder, splits, asked.get("width", 1.0))) != begun:
            argument = f"`{name}`" if value is True else f"`{name}` {meant}"
            how = "without it" if begun is None or begun is False else f"with {begun}"
            raise RunError(
                f"{argument}: the run in {folder.path} was started {how}, and `resume` does not change that; "
                f"remove `{name}`, or start a new run without `resume`"
            )


def _recorded(folder: RunFolder) -> dict[str, Any]:
    """Return what the run was begun with, by the name of the option that asks for it."""
    record, recipe = folder.record, folder.recipe
    loaded = LoadOptions.from_dict(record["dataset"].get("options", {}), RunError)
    start = record.get("from", {"argument": None, "new_output": False})
    stopping = recipe.early_stopping
    return {
        "dataset": record["dataset"]["argument"],
        "test_fraction": loaded.test_fraction,
        "split_seed": loaded.seed,
        "image_size": _size_text(loaded.image_size),
        "skip_damaged": loaded.skip_damaged,
        "architecture": folder.architecture.name,
        "start": start["argument"],
        "new_output": start["new_output"],
        "recipe": recipe.name,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.optimizer.learning_rate,
        "validation_fraction": recipe.validation_fraction,
        "patience": None if stopping is None else stopping.patience,
        "class_weights": recipe.class_weights or "none",
        "precision": recipe.precision,
        "seed": folder.seed,
        "engine": record["engine"],
        "out": folder.path.resolve(),
    }


def _meant(name: str, value: Any, folder: RunFolder, splits: Splits, width: float) -> Any:
    """Return `value` of an option in the form in which `_recorded` has it: of one that means the same, the same."""
    if name == "dataset":
        return argument_of(value)
    if name == "start":
        return str(value.resolve())
    if name == "image_size":
        return _size_text(value)
    if name == "out":
        return value.resolve()
    if name == "architecture":
        network = architecture_for(value, splits.image_shape, splits.num_classes, width)
        begun = folder.architecture.name
        if network == folder.architecture:
            return begun
        other = str(value) if width == 1 else f"{value} with width {width:g}"
        return f"{other} (other layers)" if other == begun else other
    if name == "recipe":  # other options may have changed parts of it
        parts = {part: getattr(folder.recipe, part) for part in _OF_RECIPE}
        found = recipe_for(value, folder.architecture)
        same = found.name == folder.recipe.name and replace(found, **parts) == folder.recipe
        return folder.recipe.name if same else value
    return value


def _size_text(size: tuple[int, int] | None) -> str | None:
    return None if size is None else f"{size[0]}x{size[1]}"
