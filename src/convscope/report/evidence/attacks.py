"""The section on attacks: the accuracy over the size of an attack, beside noise, and pictures that fool the network."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from convscope.base.tables import clip
from convscope.evidence.robustness.attacks import Attacked, Attacks
from convscope.report.axes import CHART_WIDTH, draw_grid, percent_tick, set_ticks, write_ends
from convscope.report.evidence.section import Card, Chart, Gallery, Section, Table, heads, say_images, topic_section
from convscope.report.findings import confidence_text, percent
from convscope.report.pixels import image_pixels, paint
from convscope.report.style import ACCENT, MUTED, WARM, Drawing, add_axes, house_style, new_drawing
from convscope.texts import Sentence, say

_COLOURS = {"noise": MUTED, "fgsm": ACCENT, "pgd": WARM}  # FGSM is in files of earlier versions
_SIDE = 84  # pixels of a picture, at most


def attacks_section(value: Attacks) -> Section:
    """Make the section of attacks."""
    restarts = value.restarts
    starts = say("evidence.attacks.oneStart") if restarts == 1 else say("evidence.attacks.starts", n=restarts)
    parts: list[Chart | Gallery] = [_curve(value), *([_gallery(value)] if value.examples.indices else [])]
    return topic_section("attacks", parts, shows=say_images("attacks", value, steps=value.steps, starts=starts))


def attacks_finding(value: Attacks) -> str:
    """Say at which size PGD fools half of the images, or which accuracy it leaves at the largest size."""
    size, last = value.median_epsilon, _by_method(value)["pgd"][-1]
    if size is None:
        return say("evidence.attacks.accuracy", epsilon=f"{last.epsilon}", accuracy=percent(last.accuracy))
    levels: Sentence | str = f"{size:.0f}"
    if value.median_epsilon_interval:
        low, high = ("\N{INFINITY}" if end is None else f"{end:.0f}" for end in value.median_epsilon_interval)
        levels = say("within", value=levels, low=low, high=high)
    return say("evidence.attacks.median", levels=levels)


def _by_method(value: Attacks) -> dict[str, list[Attacked]]:
    methods = dict.fromkeys(attack.method for attack in value.attacks)
    return {method: [attack for attack in value.attacks if attack.method == method] for method in methods}


def _curve(value: Attacks) -> Chart:
    """Make the chart of the accuracy over the size of each attack, with a table that has a row for each size.

    epsilon | noise   | low     | high    | changed | PGD     | low | ...
    8       | 98.90 % | 98.67 % | 99.09 % |  0.10 % | 81.20 % |
    """
    title = attacks_finding(value)
    by_method = _by_method(value)
    header = heads("attacks", "epsilon")
    for method in by_method:
        header += [_name_method(method), *heads("attacks", "low", "high", "changed")]
    rows = [
        [
            f"{attacks[0].epsilon}",
            *(text for attack in attacks for text in map(percent, (attack.accuracy, *attack.interval, attack.changed))),
        ]
        for attacks in zip(*by_method.values(), strict=True)
    ]
    return Chart(
        "attacks", title, say("evidence.attacks.look"), _draw(by_method, title), Table("", "", header, rows, left=0)
    )


def _name_method(method: str) -> str:
    return say(f"evidence.attacks.method.{method}")


def _draw(by_method: Mapping[str, Sequence[Attacked]], title: str) -> Drawing:
    left, top, right, height = 56, 48, 136, 200
    with house_style():
        drawing = new_drawing(CHART_WIDTH, top + height + 48, title)
        axes = add_axes(drawing, left, top, CHART_WIDTH - left - right, height)
        for method, attacks in by_method.items():
            sizes = [attack.epsilon for attack in attacks]
            low, high = np.array([attack.interval for attack in attacks]).T
            axes.fill_between(sizes, low, high, color=_COLOURS[method], alpha=0.2, linewidth=0)
            accuracies = [attack.accuracy for attack in attacks]
            axes.plot(sizes, accuracies, "o-", color=_COLOURS[method], markersize=5, markeredgewidth=0, clip_on=False)
        axes.set_ylim(0, 1)
        axes.margins(x=0.02)
        axes.set_xlabel(say("evidence.attacks.axis"))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        set_ticks(axes.yaxis, 4, percent_tick)
        draw_grid(axes)
        ends = [(attacks[-1].accuracy, _name_method(method), _COLOURS[method]) for method, attacks in by_method.items()]
        write_ends(axes, ends, height)
    return drawing


def _format_size(size: float) -> str:
    return say("evidence.attacks.size", size=f"{size}")


def _gallery(value: Attacks) -> Gallery:
    """Make the gallery of attacked images: a row for each, the image itself, then two pictures for each size."""
    shown, classes = value.examples, value.class_names
    pictures = shown.pictures.unpack()  # (M, 1 + E, h, w, C)
    widest = max(shown.epsilons)
    cards = []
    for row, index in enumerate(shown.indices):
        lines = [
            [clip(classes[label], 12), confidence_text(probability)]
            for label, probability in zip(shown.predictions[row], shown.probabilities[row], strict=True)
        ]
        clean = pictures[row, 0]
        cards.append(Card(image_pixels(clean), [*lines[0], say("head.image", index=index)], value.split, index))
        for column, size in enumerate(shown.epsilons, 1):
            # As a signed number, since a difference of bytes would wrap round; the mean over the channels.
            moved = (pictures[row, column].astype(np.float64) - clean).mean(axis=2)
            cards.append(Card(image_pixels(pictures[row, column]), [*lines[column], _format_size(size)]))
            cards.append(
                Card(paint(moved, "signed", -widest, widest), [say("evidence.attacks.difference"), _format_size(size)])
            )
    # (M, E), without the clean picture of each row.
    fooled = np.array(shown.predictions)[:, 1:] != np.array(shown.labels)[:, None]
    # The title tells the first size that fools half of the images (`argmax` finds the first True), or else the largest.
    fools_half = fooled.mean(axis=0) >= 0.5
    chosen = int(fools_half.argmax()) if fools_half.any() else len(fools_half) - 1
    epsilon, num_fooled = f"{shown.epsilons[chosen]}", int(fooled[:, chosen].sum())
    title = say("evidence.attacks.fooled", epsilon=epsilon, fooled=num_fooled, images=len(fooled))
    look = say("evidence.attacks.rows", widest=f"{widest}")
    return Gallery(title, look, cards, _SIDE, 1 + 2 * len(shown.epsilons))
