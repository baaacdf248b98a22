"""Check attributions by deletion, insertion and random weights, on networks trained here.

python benchmarks/attribution_checks.py [--dataset mnist] [--seeds 3] [--images 200]

Deletion and insertion (Petsiuk and others 2018): pixels are blanked, or restored onto a blank image, in 20 steps, the
most important first. The figure is the area under the curve of the prediction's probability, minus that of four random
orders of the same image. Random weights (Adebayo and others 2018): the rank correlation with the map of the untrained
network, over the pixels that are not background. Maps use only the public interface of convscope. To check another
method, put a function of a model, images and targets to (N, H, W) scores in place of `scores`.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t

import convscope as cs

STEPS = 20
RANDOM_ORDERS = 4
METHODS = get_args(get_type_hints(cs.attribute)["method"])

Images = NDArray[np.uint8]
Maps = NDArray[np.float64]
Scores = Callable[[cs.Model, Images, NDArray[np.int64]], Maps]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    data = cs.load_dataset(arguments.dataset)
    print(f"{data.name}, {arguments.images} test images, 95 % t intervals over them\n")
    print("| method | seed | deletion minus random | insertion minus random | correlation, random weights |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for seed in range(arguments.seeds):
        model, untrained = train(data, seed)
        for method, cells in check_all(model, untrained, data.test.images[: arguments.images], seed):
            print(f"| {method} | {seed} | {' | '.join(cells)} |", flush=True)


def train(data: cs.Splits, seed: int) -> tuple[cs.Model, cs.Model]:
    """Train `cnn` on 10,000 images; return it, and an untrained network with the weights of another seed."""
    images = data.train.take(range(10_000))
    model, _ = cs.train("cnn", images, cs.recipes.fast, seed=seed)
    states = list[dict[str, NDArray[np.float32]]]()  # the first is the untrained one
    short = replace(cs.recipes.fast, epochs=1)
    cs.train("cnn", images, short, seed=seed + 1, on_epoch=lambda state: states.append(dict(state.weights)))
    return model, replace(model, weights=states[0])


def check_all(
    model: cs.Model, untrained: cs.Model, images: Images, seed: int
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield each method with the text of its cells: deletion and insertion minus random orders, and the correlation."""
    targets = model.predict(images)
    background = int(np.bincount(images.reshape(-1), minlength=256).argmax())
    stream = np.random.default_rng(seed)
    num_pixels = images.shape[1] * images.shape[2]
    shuffled = [stream.random((len(images), num_pixels)).argsort(axis=1) for _ in range(RANDOM_ORDERS)]
    chance = np.mean([compute_areas(model, images, targets, order, background) for order in shuffled], axis=0)
    drawn = (images != background).any(axis=3)
    for method in METHODS:
        scores: Scores = partial(cs.attribute, method=method, background=background)
        maps, untrained_maps = (scores(network, images, targets) for network in (model, untrained))
        order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
        deletion, insertion = compute_areas(model, images, targets, order, background) - chance
        correlation = np.nanmean(compute_rank_correlations(np.abs(maps), np.abs(untrained_maps), drawn))
        yield method, (format_with_interval(deletion), format_with_interval(insertion), f"{correlation:.2f}")


def compute_areas(
    model: cs.Model, images: Images, targets: NDArray[np.int64], order: NDArray[np.int64], background: int
) -> NDArray[np.float64]:
    """Compute the areas (2, N) under the curves of deletion and insertion, for the order (N, H · W) of the pixels."""
    count, num_pixels = order.shape
    ranks = np.argsort(order, axis=1).reshape(*images.shape[:3], 1)
    curves = np.empty((2, STEPS + 1, count))
    for step in range(STEPS + 1):
        is_first = ranks < round(num_pixels * step / STEPS)
        for curve, is_blank in zip(curves, (is_first, ~is_first), strict=True):
            probabilities = model.probabilities(np.where(is_blank, np.uint8(background), images))
            curve[step] = probabilities[np.arange(count), targets]
    return np.asarray((curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2)  # the trapezoidal rule


def compute_rank_correlations(first: Maps, second: Maps, drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute Spearman's correlation (N,) over the pixels that are `drawn`; NaN for a map with equal values there.

    On the background x - x0 is zero in any network, and methods that multiply by it would seem to agree there.
    """
    result = np.full(len(first), np.nan)
    for number, mask in enumerate(drawn):
        ranks = [rankdata(maps[number][mask]) for maps in (first, second)]
        if min(map(len, ranks)) > 1 and all(np.ptp(values) > 0 for values in ranks):
            result[number] = np.corrcoef(*ranks)[0, 1]
    return result


def format_with_interval(values: NDArray[np.float64]) -> str:
    """Write the mean of (N,) values with its 95 % t interval."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.3f} [{values.mean() - half:+.3f}, {values.mean() + half:+.3f}]"


if __name__ == "__main__":
    main()
