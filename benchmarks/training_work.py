"""Count the multiply-adds that training a network needs, for the engine's share of the processor's peak."""

from collections.abc import Collection, Sequence
from math import prod
from typing import Any

import convscope as cs


def count_training_macs(architecture: cs.Architecture) -> int:
    """Count the multiply-adds that training needs for one image, as if every convolution were computed directly.

    Only work that no engine can do without is counted. In the forward pass these are the positions of an output that a
    later layer reads. In the backward pass each position counts once for the gradient with respect to the kernel and,
    except in the first layer with weights, once for the gradient with respect to the input; before a max pooling only
    one position for each pooled value counts, because only the largest carries a gradient. Positions where relu is zero
    count too, since their number depends on the images. A batch normalisation reads every position for its statistics,
    and each carries a gradient through them. Elementwise work and the optimizer's step do not count. An engine that
    computes a convolution with fewer multiplications than the direct way counts as if it did not.
    """
    table, read = architecture.table, read_positions(architecture)
    again = architecture.read_again
    first = next((i for i, row in enumerate(table) if row.parameters), len(table))
    total = 0
    for i, row in enumerate(table):
        kernel = row.layer.weight_shapes(row.input_shape).get("kernel")
        if kernel is None:
            continue
        macs_per_position = prod(kernel)
        positions = prod(read[i])
        pooling = pooling_after(table, i, again)
        with_gradient = positions if pooling is None else min(positions, prod(read[pooling]))
        total += macs_per_position * (positions + with_gradient * (1 if i == first else 2))
    return total


def pooling_after(table: Sequence[Any], number: int, again: Collection[str]) -> int | None:
    """Find the max pooling that alone reads a layer, directly or through activations; None without one."""
    while table[number].layer.name not in again and number + 1 < len(table):
        number += 1
        if isinstance(table[number].layer, cs.MaxPooling2D):
            return number
        if not isinstance(table[number].layer, cs.Activation):
            break
    return None


def read_positions(architecture: cs.Architecture) -> list[tuple[int, ...]]:
    """Count for each layer the (rows, columns) of its output that later layers read; () where that is a vector."""
    table = architecture.table
    numbers = {row.layer.name: number for number, row in enumerate(table)}
    read = [(0,) * (len(row.output_shape) - 1) for row in table]
    read[-1] = table[-1].output_shape[:-1]
    for number in reversed(range(len(table))):
        layer, input_size = table[number].layer, table[number].input_shape[:-1]
        needed = input_size
        if (window := getattr(layer, "window", None)) is not None:
            axes = zip(input_size, read[number], window.reach, window.strides, strict=True)
            needed = tuple(
                (count - 1) * stride + reach - padding_at_start(size, reach, stride, window.padding)
                for size, count, reach, stride in axes
            )
        elif isinstance(layer, cs.ZeroPadding2D):
            needed = tuple(max(count - start, 0) for count, (start, _) in zip(read[number], layer.padding, strict=True))
        elif isinstance(layer, cs.Dropout | cs.Activation | cs.PReLU | cs.Add | cs.Branch | cs.Concatenate):
            needed = read[number]
        sources = {numbers.get(getattr(layer, "from_layer", ""), -1)}
        if not isinstance(layer, cs.Branch):
            sources.add(number - 1)
        for source in sources - {-1}:  # which is the image
            read[source] = tuple(
                max(count, min(pair)) for count, *pair in zip(read[source], needed, input_size, strict=True)
            )
    return read


def padding_at_start(size: int, reach: int, stride: int, padding: str) -> int:
    """Count the zeros before the first row: with "same", half of what the last window lacks, rounded down."""
    return max((-(-size // stride) - 1) * stride + reach - size, 0) // 2 if padding == "same" else 0
