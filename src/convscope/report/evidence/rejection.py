"""The section on images of no class: the model's predictions for them, and which of them it refuses.

A rule refuses images; `rules[0]` is the one in use. It is measured on three kinds of images, which the parts of the
section show:

    out of distribution    images of no class, in sets such as "noise": these should be refused
    known                  test images, predicted correctly or wrong: refusing a correct one is the cost
    altered                the same test images, shifted or rotated: a change that should not matter

Names and texts are those of `texts`, in the language of the page.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain

from convscope.base.tables import clip
from convscope.evidence.rejection.result import OutOfDistributionResult, Rejection, Share
from convscope.report.evidence.section import Card, Gallery, Section, Table, heads, topic_section
from convscope.report.findings import between, confidence_text, percent
from convscope.report.pixels import image_pixels
from convscope.texts import (
    figure,
    find_text,
    format_rounded,
    get_texts,
    join_sentences,
    join_texts,
    say,
    translate_name,
)

_NAME = 20  # columns of a set's name
_COLUMNS = 8  # pictures in a row, at most
_CLASS = 14  # columns of a class's name
_MAX_CHANGE = 100  # pixels or degrees


def rejection_section(value: Rejection) -> Section:
    """Make the section of a rejection."""
    parts: list[Gallery | Table] = [_make_gallery(value), _make_refusal_table(value), _make_separation_table(value)]
    return topic_section("rejection", [*parts, *_make_cost_gallery(value)], main=1)


def _make_gallery(value: Rejection) -> Gallery:
    """Make the gallery of examples of each set; the title names the surest prediction that was not refused."""
    names, cards, accepted = value.class_names, list[Card](), list[tuple[float, str, str]]()
    for images in value.out_of_distribution:
        shown = images.examples
        predictions = zip(shown.predictions, shown.probabilities, shown.refused, strict=True)
        for image, (label, probability, refused) in zip(shown.images.unpack(), predictions, strict=True):
            class_name = clip(names[label], _CLASS)
            prediction = _format_prediction(class_name, confidence_text(probability))
            verdict = say("evidence.rejection.refused" if refused else "evidence.rejection.through")
            cards.append(Card(image_pixels(image), (prediction, _name_set(images.name), verdict)))
            if not refused:
                accepted.append((probability, images.name, class_name))
    title = say("evidence.rejection.allRefused")
    if accepted:
        surest, name, class_name = max(accepted)
        values = {"name": _name_set(name), "answer": class_name, "probability": confidence_text(surest)}
        title = say("evidence.rejection.confident", **values)
    num_columns = max(len(images.examples.predictions) for images in value.out_of_distribution)
    # A whole number of sets in a row, so that the cards of a set stand together.
    return Gallery(title, say("evidence.rejection.below"), cards, columns=num_columns * max(1, _COLUMNS // num_columns))


def _make_refusal_table(value: Rejection) -> Table:
    """Make the table of refused images: first test images, then images of no class, which have four more columns.

    images                      number | refused | interval | mean confidence | sure | sure and accepted | most frequent
    predicted correctly          9,888 |  1.00 % |          |                 |      |                   |
    noise                        1,000 | 99.10 % |          |         45.10 % | 2.0 % |            0.1 % | 8, 61 %
    """
    rule, known = value.rules[0], value.known
    correct = known.correct[rule.name]
    shares = [
        (say("evidence.rejection.right"), correct),
        (say("evidence.rejection.wrong"), known.wrong[rule.name]),
        *((_name_alteration(images.name), images.correct[rule.name]) for images in value.altered),
    ]
    rows: list[tuple[str, ...]] = [
        (name, f"{share.total:,}", *_format_share(share), "", "", "", "") for name, share in shares
    ]
    rows += [_format_set(images, value.class_names) for images in value.out_of_distribution]
    # The set that the first rule, the one in use, refuses least.
    hardest = min(value.out_of_distribution, key=lambda images: images.rules[0].refused.value)
    name, refused = _name_set(hardest.name), percent(hardest.rules[0].refused.value, 1)
    title = say("evidence.rejection.hardest", name=name, refused=refused, right=percent(correct.value))
    header = heads("rejection", "images", "number", "refused", "interval", "mean", "sure", "accepted", "frequent")
    return Table(title, _write_refusal_note(value), header, rows)


def _format_set(images: OutOfDistributionResult, class_names: Sequence[str]) -> tuple[str, ...]:
    """Format the row of a set of images of no class."""
    sure, accepted = images.num_confident / images.num_images, images.num_confident_accepted / images.num_images
    frequent = _format_prediction(
        clip(class_names[images.most_frequent], _CLASS), percent(images.num_most_frequent / images.num_images, 0)
    )
    refused, mean = _format_share(images.rules[0].refused), confidence_text(images.mean_probability)
    cells = f"{images.num_images:,}", *refused, mean, percent(sure, 1), percent(accepted, 1), frequent
    return _name_set(images.name), *cells


def _write_refusal_note(value: Rejection) -> str:
    """Write the note below the table: thresholds, costs, probabilities, clusters and missing sets."""
    rule, correct, by_class = value.rules[0], value.known.correct, value.known.by_class
    share, max_refused = (percent(number, 1) for number in (rule.num_kept / rule.num_held_out, rule.max_refused_share))
    within = between(rule.refusal_range, partial(percent, digits=1))
    sentences = [say("evidence.rejection.accept", share=share, n=rule.num_held_out, most=max_refused, within=within)]
    if by_class:
        sentences.append(say("evidence.rejection.byClass", within=between(by_class, partial(percent, digits=1))))
    altered = [(images.correct[rule.name].value, images.name) for images in value.altered]
    if altered and max(altered)[0] > correct[rule.name].value:
        cost, name = max(altered)
        sentences.append(say("evidence.rejection.holds", name=_name_alteration(name), cost=percent(cost, 1)))
    if value.temperature is None:
        sentences.append(say("evidence.rejection.uncalibrated"))
    else:
        sentences.append(say("evidence.rejection.calibrated", temperature=format_rounded(value.temperature, 3)))
    groups = [
        _format_clusters(images, images.num_clusters)
        for images in value.out_of_distribution
        if images.num_clusters is not None
    ]
    if groups:
        sentences.append(say("evidence.rejection.clusters", groups=join_texts(groups)))
    return join_sentences(*sentences, *_format_left_out(value))


def _format_clusters(images: OutOfDistributionResult, count: int) -> str:
    kind = images.clustered_by
    if kind not in get_texts("evidence.rejection.cluster"):  # a kind without a text of its own
        kind = "groups"
    return say(f"evidence.rejection.cluster.{kind}", name=_name_set(images.name), n=count)


def _format_left_out(value: Rejection) -> list[str]:
    return [
        say("evidence.rejection.leftOut", name=_name_set(name), why=translate_name("evidence.rejection.why", why))
        for name, why in value.left_out.items()
    ]


def _make_separation_table(value: Rejection) -> Table:
    """Make the table of how well the rule's score separates each set from test images; the title has the worst."""
    nearest = min(value.out_of_distribution, key=lambda images: images.rules[0].auroc)
    area = percent(nearest.rules[0].auroc, 1)
    title = say("evidence.rejection.separate", name=_name_set(nearest.name), area=area)
    rows = [
        (
            _name_set(images.name),
            f"{images.rules[0].auroc:.4f}",
            between(images.rules[0].auroc_interval, lambda end: figure(end, 4)),
            percent(images.rules[0].false_positive_rate),
        )
        for images in value.out_of_distribution
    ]
    header = [*heads("rejection", "images"), "AUROC", *heads("rejection", "interval", "fpr")]
    return Table(title, say("evidence.rejection.fprLook"), header, rows)


def _make_cost_gallery(value: Rejection) -> tuple[Gallery, ...]:
    """Make the gallery of refused test images, if there are any."""
    rule, known, names = value.rules[0].name, value.known, value.class_names
    correct, wrong, shown = known.correct[rule], known.wrong[rule], known.refused
    if not shown.predictions:
        return ()
    cards = []
    for image, predicted, true, probability, index in zip(
        shown.images.unpack(), shown.predictions, shown.labels, shown.probabilities, shown.indices, strict=True
    ):
        truth = say("evidence.rejection.truthRight")
        if predicted != true:
            truth = say("evidence.rejection.truth", name=clip(names[true], _CLASS))
        lines = (_format_prediction(clip(names[predicted], _CLASS), confidence_text(probability)), truth)
        cards.append(Card(image_pixels(image), lines, value.split, index))
    counts = {"right": correct.count, "total": correct.total}
    title = say("evidence.rejection.cost", **counts)
    if wrong.total:
        title = say("evidence.rejection.costBoth", **counts, wrong=wrong.count, others=wrong.total)
    accepted = known.correct_among_accepted[rule]
    look = join_sentences(
        say(f"evidence.rejection.some.{value.split}"),
        say("evidence.rejection.answered", accuracy=percent(accepted.value)) if accepted.total else "",
    )
    return (Gallery(title, look, cards),)


def _format_prediction(name: str, text: str) -> str:
    return say("evidence.rejection.line", name=name, probability=text)


def _name_set(name: str) -> str:
    return translate_name("evidence.rejection.set", clip(name, _NAME))


def _name_alteration(name: str) -> str:
    """Name an alteration of images in words."""
    # The record has the English name, such as that of a shift by 2 pixels; its text is found by trying the numbers.
    shifted = (say("evidence.rejection.shifted", n=pixels) for pixels in range(1, _MAX_CHANGE))
    rotated = (say("evidence.rejection.rotated", angle=str(angle)) for angle in range(1, _MAX_CHANGE))
    return find_text(name, chain(shifted, rotated))


def _format_share(share: Share) -> tuple[str, str]:
    return (percent(share.value), between(share.interval)) if share.total else ("", "")
