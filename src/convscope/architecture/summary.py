"""The layer table as text:

Layer (kind)        Output shape        Parameters    MACs  Receptive field  Connected to
-----------------------------------------------------------------------------------------
conv2d (Conv2D)     (None, 26, 26, 16)         160  97,344            3 × 3
add (Add)           (None, 26, 26, 16)           0       0            5 × 5  conv2d_1, conv2d
"""

from convscope.architecture.layers import Branch
from convscope.architecture.table import Input, LayerRow, get_source_name


def summary_text(name: str, image: Input, table: tuple[LayerRow, ...]) -> str:
    """Format a line for each layer (name, kind, output shape, parameters, MACs, receptive field) and the totals.

    As in Keras's summary, a layer's parameters include the non-trainable ones, whose sum is given at the end. A network
    with branches has one more column, with the layers that each layer reads.
    """
    header = ("Layer (kind)", "Output shape", "Parameters", "MACs", "Receptive field")
    # A line is a tuple of cells until the widths of all columns are known.
    lines = [header, *(_format_cells(row) for row in table)]
    if any(get_source_name(row.layer) for row in table):
        # Each row with the one before it, None for the first.
        sources = [_format_sources(row, previous) for row, previous in zip(table, [None, *table], strict=False)]
        lines = [(*line, source) for line, source in zip(lines, ["Connected to", *sources], strict=True)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))  # columns are two spaces apart
    size = " × ".join(map(str, image.shape))
    classes = table[-1].output_shape[0]
    text = [f'Architecture "{name}": images of {size} (height × width × channels), {classes} classes', rule]
    for number, line in enumerate(lines):
        # Names, shapes and sources are aligned to the left, numbers to the right.
        cells = [
            cell.rjust(width) if 2 <= column < len(header) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
        if number == 0:
            text.append(rule)
    trainable, macs = sum(row.parameters for row in table), sum(row.macs for row in table)
    fixed = sum(row.non_trainable_parameters for row in table)
    # KB as Keras prints them: 1,024 bytes, four for each parameter.
    parameters = trainable + fixed
    text += [rule, f"Total: {parameters:,} parameters ({parameters * 4 / 1024:,.2f} KB), {macs:,} MACs per image"]
    if fixed:
        text.append(f"Trainable: {trainable:,} parameters; non-trainable: {fixed:,} parameters")
    return "\n".join(text)


def _format_sources(row: LayerRow, previous: LayerRow | None) -> str:
    """Name the layers that a layer reads, if it reads others than the one before it; "" otherwise."""
    if not (source := get_source_name(row.layer)) or isinstance(row.layer, Branch):
        return source
    return f"{previous.layer.name if previous else 'input'}, {source}"


def _format_cells(row: LayerRow) -> tuple[str, ...]:
    size = row.receptive_field.size
    return (
        f"{row.layer.name} ({row.layer.kind})",
        f"(None, {', '.join(map(str, row.output_shape))})",
        f"{row.parameters + row.non_trainable_parameters:,}",
        f"{row.macs:,}",
        f"{size[0]} × {size[1]}",
    )
