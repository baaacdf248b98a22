"""The points of the frontier: networks with their recipes, and how many seeds each is measured with.

Ours are presets: add a line to `OWN`, and how the network and the recipe were chosen to the preset. Those of others are
files in `entries`, which docs/leaderboard.md describes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.recipes import RECIPES

ALL = "all"
"""The name that selects every point of a data set."""
ENTRIES = Path(__file__).parent / "entries"
ENTRY_FIELDS = ("name", "by", "source", "chosen")
"""What each entry states, beside its architecture and recipe, or its files; OPTIONAL_FIELDS may be set as well."""
OPTIONAL_FIELDS = ("seeds", "views", "members", "dataset", "beside")
OF_TRAININGS = ("seeds", "members")
"""The fields of these that an entry of files does not have."""


@dataclass(frozen=True)
class Point:
    """A network and its recipe, and how it is measured.

    Attributes:
        architecture, recipe: names of presets; the network and the recipe of an entry have the name of the entry.
        seeds: how many runs it is measured with, unless another number is asked for.
        first_seed: the first of them.
        views: the number of shifted views of an image whose probabilities are averaged, as `cs.evaluate` takes it.
        members: how many networks form an ensemble; the seeds are divided among the ensembles in order.
        epochs: the number of epochs in place of the recipe's; None keeps the recipe's.
        dataset: the only data set that the point is for; "" is any.
        files: paths of trained networks, in place of architecture and recipe: one a run.
        beside: the name of the point that an entry is compared with, to show its gain.
        by, source, chosen: who made an entry, where it is described, and how its network and recipe were chosen; "" for
            ours.
    """

    name: str
    architecture: str
    recipe: str
    seeds: int = 30
    first_seed: int = 0
    views: int = 1
    members: int = 1
    epochs: int | None = None
    dataset: str = ""
    files: tuple[str, ...] = ()
    beside: str = ""
    by: str = ""
    source: str = ""
    chosen: str = ""


OWN = (
    Point("tiny697", "tiny697", "tiny697"),
    Point("tiny2k", "tiny2k", "tiny2k"),
    Point("tiny8k", "tiny8k", "tiny8k"),
    Point("micro11k", "micro11k", "micro11k"),
    Point("tiny25k", "tiny25k", "tiny25k"),
    Point("lenet5", "lenet5", "accurate"),
    Point("ann", "ann", "classic"),
    Point("cnn", "cnn", "classic"),
    Point("cnn-fast", "cnn", "fast"),
    Point("cnn-accurate", "cnn", "accurate"),
    Point("cnn-thorough", "cnn", "thorough"),
    Point("residual", "residual", "residual", seeds=10),
    Point("residual-views", "residual", "residual", seeds=10, views=9),
    Point("residual-ensemble", "residual", "residual", seeds=10, members=10),
    Point("fashion", "residual", "fashion", seeds=5, dataset="fashion-mnist"),
    Point("fashion-views", "residual", "fashion", seeds=5, views=9, dataset="fashion-mnist"),
)

ACCURACY = (
    Point("cnn", "cnn", "classic"),
    Point("ann", "ann", "classic"),
    Point("cnn-fast", "cnn", "fast"),
    Point("cnn-accurate", "cnn", "accurate"),
)
# The 20 epochs were one guess, tried once; nothing was tuned for these images.
FASHION = (
    Point("cnn", "cnn", "classic", seeds=10),
    Point("ann", "ann", "classic", seeds=10),
    Point("cnn-accurate", "cnn", "accurate", seeds=10),
    Point("cnn-accurate-20", "cnn", "accurate", seeds=5, epochs=20),
)
"""The rows of the short tables; the first two are compared."""


def read_entry(path: Path) -> Point:
    """Read the file of an entry.

    The first seed follows from the network and the recipe without their names, so that it is not chosen by itself.

    Raises:
        ValueError: if the file is not valid; the message names the file and the field.
    """
    name = path.stem
    try:
        value = _read_fields(path)
        if "files" in value:
            files = tuple(value["files"])
            return Point(**{**value, "architecture": name, "recipe": name, "seeds": len(files), "files": files})
        recipe = _read_recipe(value, "")
        if recipe.early_stopping is not None:
            raise ValueError("recipe: early_stopping chooses an epoch; an entry is measured after its last step")
        first_seed = 1000 + int(compute_choice_digest(_read_network(value, ""), recipe)[:5], 16)
        return Point(**{**value, "architecture": name, "recipe": name, "first_seed": first_seed})
    except (ValueError, TypeError, cs.ConvscopeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_fields(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("an entry is an object of JSON")
    expected = (*ENTRY_FIELDS, *(("files",) if "files" in value else ("architecture", "recipe")))
    allowed = (*expected, *(name for name in OPTIONAL_FIELDS if "files" not in value or name not in OF_TRAININGS))
    if missing := [name for name in expected if name not in value]:
        raise ValueError(f"{missing[0]} is missing")
    if unknown := sorted(value.keys() - {*allowed}):
        raise ValueError(f"{unknown[0]} is unknown; this entry has {', '.join(allowed)}")
    name, is_taken = value["name"], value["name"] in {*PRESETS, *RECIPES, *(point.name for point in OWN)}
    if name != path.stem or is_taken:
        raise ValueError(f"name is {name!r}; it must be {path.stem!r}, as the file, and not the name of a row of ours")
    for field, (is_valid, expected_value) in _VALID.items():
        if field in value and not is_valid(value[field]):
            raise ValueError(f"{field} is {value[field]!r:.60}; it must be {expected_value}")
    if value.get("seeds", 30) < value.get("members", 1):
        raise ValueError(f"seeds is {value.get('seeds', 30)}; an ensemble of {value['members']} needs as many")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 1000


_VALID = {
    **dict.fromkeys((*ENTRY_FIELDS, "beside"), (_is_text, "a text")),
    "seeds": (_is_count, "a number from 1 to 1000"),
    "members": (_is_count, "a number from 1 to 1000"),
    "views": (lambda value: value in (1, 5, 9), "1, 5 or 9"),
    "dataset": (lambda value: value in ("mnist", "fashion-mnist"), "mnist or fashion-mnist"),
    "files": (
        lambda value: isinstance(value, list) and len(value) > 0 and all(map(_is_text, value)),
        "a list of paths",
    ),
}
"""Which values of a field are valid, and how to say it."""


def _read_network(value: dict[str, Any], name: str) -> cs.Architecture:
    return replace(cs.Architecture.from_dict(value["architecture"]), name=name)


def _read_recipe(value: dict[str, Any], name: str) -> cs.Recipe:
    return replace(cs.Recipe.from_dict(value["recipe"]), name=name)


def compute_choice_digest(network: cs.Architecture, recipe: cs.Recipe) -> str:
    """Compute the SHA-256 over a network and a recipe."""
    return sha256(json.dumps([network.to_dict(), recipe.to_dict()], sort_keys=True).encode()).hexdigest()


def find_network(name: str) -> cs.Architecture:
    """Find a network by the name of its preset, for MNIST's images, or of its entry."""
    if name in PRESETS:
        return PRESETS[name]((28, 28, 1), 10)
    return _read_network(_read_fields(ENTRIES / f"{name}.json"), name)


def find_recipe(name: str) -> cs.Recipe:
    """Find a recipe by its name or that of its entry."""
    return RECIPES[name] if name in RECIPES else _read_recipe(_read_fields(ENTRIES / f"{name}.json"), name)


def read_points() -> tuple[Point, ...]:
    """Read our points and then the entries.

    Raises:
        ValueError: as `read_entry`.
    """
    return (*OWN, *map(read_entry, sorted(ENTRIES.glob("*.json"), key=lambda path: path.stem)))


def find_points(names: str, dataset: str) -> list[Point]:
    """Find the points of a data set by their names, separated by commas; "all" is every point that it has.

    Raises:
        ValueError: if a name is unknown, comes twice, or is a point of another data set; as `read_entry`.
    """
    known = {point.name: point for point in read_points() if point.dataset in ("", dataset)}
    if names == ALL:
        return list(known.values())
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            raise ValueError(f"no point of {dataset} is called {name!r}; use {', '.join(known)} or {ALL}")
        if chosen.count(name) > 1:
            raise ValueError(f"{name!r} comes twice")
    return [known[name] for name in chosen]


def find_single_networks(points: Sequence[Point], dataset: str) -> list[Point]:
    """Find for each architecture and recipe of `points` the point that is one network with one view."""
    pairs = {(point.architecture, point.recipe) for point in points}
    return [
        point
        for point in find_points(ALL, dataset)
        if point.members == point.views == 1 and not point.files and (point.architecture, point.recipe) in pairs
    ]
