"""The difference of two networks as a record, and the sentences and the table made of it."""

from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from convscope.base.records import Count, NonNegative, Positive, Record
from convscope.base.tables import html_table, printable, text_table

ROUNDING = 1e-5
"""Outputs differ if they are further apart than this share of their layer's largest output. What float32 rounds off
when it adds in another order stays below."""

HEADER = ("layer of A", "layer of B", "structure", "weights differ by", "outputs differ by")
SWAP_HEADER = ("layer", "answers changed by its weights alone", "by those of all the others")


class Compared(Record, kw_only=True):
    """A network that is compared: its path or name, what wrote it, and its size."""

    name: str
    program: str
    num_layers: Positive
    parameters: Count


class WeightDifference(Record, kw_only=True):
    """How far the weights of two layers are apart, absolutely.

    Attributes:
        equal: True if they are equal to the bit, after folding.
        largest_weight: the largest absolute weight of A, for comparison.
    """

    equal: bool
    largest: NonNegative
    mean: NonNegative
    largest_weight: NonNegative


class OutputDifference(Record, kw_only=True):
    """How far the outputs of two layers are apart on the same images, absolutely, with the largest output of A."""

    largest: NonNegative
    mean: NonNegative
    largest_output: NonNegative

    @property
    def is_rounding(self) -> bool:
        return self.largest <= ROUNDING * self.largest_output


class LayerDifference(Record, kw_only=True):
    """Two layers of the same place in their networks, or a layer that only one of them has.

    Attributes:
        a, b: the name of the layer in each network, None where it is missing.
        change: how they differ in what they compute, in words; "" if they do not.
        weights: None for layers without weights, or with weights of different shapes.
        outputs: None without common images, or for outputs of different shapes.
        changed_alone: answers that change if only this layer of A gets the weights of B.
        changed_without: answers of B that still differ if this layer gets the weights of A.
    """

    a: str | None
    b: str | None
    kind: str
    change: str
    weights: WeightDifference | None
    outputs: OutputDifference | None
    changed_alone: Count | UnsetType = UNSET
    changed_without: Count | UnsetType = UNSET

    @property
    def structure(self) -> str:
        if self.a is None or self.b is None:
            return f"{self.kind}, only in {'B' if self.a is None else 'A'}"
        return self.change or self.kind

    @property
    def is_same_structure(self) -> bool:
        return not self.change and self.a is not None and self.b is not None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        weights = "" if self.weights is None else "equal"
        if self.weights is not None and not self.weights.equal:
            weights = f"{self.weights.largest:.2g} (mean {self.weights.mean:.2g})"
        outputs = "" if self.outputs is None else f"{self.outputs.largest:.2g} of {self.outputs.largest_output:.3g}"
        return self.a or "–", self.b or "–", self.structure, weights, outputs


class ChangedAnswer(Record, kw_only=True):
    """An image that gets another answer, by its number among those compared, with both answers."""

    image: Count
    a: str
    b: str


class NetworkDifference(Record, kw_only=True):
    """Two networks, compared layer by layer.

    Attributes:
        notes: what was done to compare them, in sentences.
        images: the images that both read, in words; "" if they read none, because their images or classes differ.
        logits: the difference of the logits.
        num_changed: answers that differ.
        changed: the first of them, at most 100.
    """

    a: Compared
    b: Compared
    notes: tuple[str, ...]
    layers: tuple[LayerDifference, ...]
    images: str
    num_images: Count
    logits: OutputDifference | None
    num_changed: Count | None
    changed: tuple[ChangedAnswer, ...]

    @property
    def is_same_structure(self) -> bool:
        return all(layer.is_same_structure for layer in self.layers)

    @property
    def is_rounding(self) -> bool:
        """True if no logits differ by more than float32 rounds off; two networks may scale bytes differently."""
        return self.logits is None or self.logits.is_rounding

    @property
    def sentence(self) -> str:
        """The result in one or two sentences."""
        return " ".join(self.sentences)

    @property
    def sentences(self) -> list[str]:
        return list(self._say())

    @property
    def swaps(self) -> list[tuple[str, ...]]:
        """Rows of layers by the answers that their weights change, the most first; none if no answer changes."""
        rows = [
            (layer.changed_alone, layer.changed_without, layer.a or "")
            for layer in self.layers
            if layer.changed_alone is not UNSET and layer.changed_without is not UNSET
        ]
        rows.sort(key=lambda row: (-row[0], row[1]))
        return [(name, f"{alone:,}", f"{without:,}") for alone, without, name in rows if self.num_changed]

    def _say(self) -> Iterator[str]:
        if not self.is_same_structure:
            count = sum(not layer.is_same_structure for layer in self.layers)
            yield f"The structure differs in {count} of {len(self.layers)} layers."
        elif all(layer.weights is None or layer.weights.equal for layer in self.layers) and self.is_rounding:
            yield "The networks are equal: all layers match, and all weights are equal to the bit."
            return
        if self.logits is None or self.num_changed is None:
            yield "No outputs were compared, because the networks read other images or have other classes."
            return
        answers = f"{self.num_changed:,} of {self.num_images:,} answers differ"
        if not self.num_changed:
            answers = f"no answer to {self.num_images:,} images differs"
        different = next((layer for layer in self.layers if layer.outputs and not layer.outputs.is_rounding), None)
        if different is None or self.logits.is_rounding:
            yield f"They compute the same to {self.logits.largest:.1g}: {answers}."
            return
        yield f"Outputs differ first at {different.a}; {answers}, and logits by {self.logits.largest:.2g} at most."
        if self.swaps:
            name, alone, without = self.swaps[0]
            yield f"The weights of {name} matter most: alone they change {alone}, all the others change {without}."

    def __str__(self) -> str:
        heading = "\n".join(
            f"{letter}  {printable(value.name)}: {printable(value.program)}, "
            f"{value.parameters:,} parameters in {value.num_layers} layers"
            for letter, value in zip("AB", (self.a, self.b), strict=True)
        )
        parts = [heading, self.sentence, *map(printable, self.notes)]
        parts.append(text_table(HEADER, [layer.cells for layer in self.layers], left=3))
        if self.swaps:
            parts.append(text_table(SWAP_HEADER, self.swaps))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return html_table(HEADER, [layer.cells for layer in self.layers], self.sentence, left=3)
