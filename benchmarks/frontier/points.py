"""The points of the frontier: networks with their recipes, and how many seeds each is measured with.

To add a point, add a line to `POINTS`. How its network and its recipe were chosen stands with their presets.
"""

from dataclasses import dataclass

ALL = "all"
"""The name that selects every point of a data set."""


@dataclass(frozen=True)
class Point:
    """A network and its recipe by name, and how it is measured.

    Attributes:
        architecture, recipe: names of presets.
        seeds: how many runs it is measured with, from seed 0, unless another number is asked for.
        views: the number of shifted views of an image whose probabilities are averaged, as `cs.evaluate` takes it.
        members: how many networks form an ensemble; the seeds are divided among the ensembles in order.
        epochs: the number of epochs in place of the recipe's; None keeps the recipe's.
        dataset: the only data set that the point is for; "" is any.
    """

    name: str
    architecture: str
    recipe: str
    seeds: int = 30
    views: int = 1
    members: int = 1
    epochs: int | None = None
    dataset: str = ""


POINTS = (
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


def find_points(names: str, dataset: str) -> list[Point]:
    """Find the points of a data set by their names, separated by commas; "all" is every point that it has.

    Raises:
        ValueError: if a name is unknown, comes twice, or is a point of another data set.
    """
    known = {point.name: point for point in POINTS if point.dataset in ("", dataset)}
    if names == ALL:
        return list(known.values())
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            raise ValueError(f"no point of {dataset} is called {name!r}; use {', '.join(known)} or {ALL}")
        if chosen.count(name) > 1:
            raise ValueError(f"{name!r} comes twice")
    return [known[name] for name in chosen]
