"""Choose an offset in the working memory for each value, so that the memory is small and no needed value is lost.

The values of a chain alternate between two buffers, and a value that an `Add` reads later has a third. A step that
reads each number before it overwrites it works in place: its output takes over the buffer of its input, and is often
smaller. Two buffers may share memory as long as no value in one is still needed when a value in the other is written.

Three steps, none of them in place:

    offset            time →   0 (image)   step 1         step 2         step 3
    0 ...                      image       image          output of 2    output of 2
    size of the image ...                  output of 1    output of 1    output of 3
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from convscope.export.c_header.steps import ComputedStep


@dataclass(frozen=True)
class WorkingMemory:
    """The offset of each value (0 is the image, n the output of the n-th step) and the size, all in numbers."""

    offsets: tuple[int, ...]
    size: int


@dataclass
class _Buffer:
    """Values at one offset, each of which overwrites the previous one.

    Attributes:
        values: (size, the step that writes it, the last step that reads it) of each value.
    """

    values: list[tuple[int, int, int]]
    offset: int = 0

    @property
    def size(self) -> int:
        return max(size for size, _, _ in self.values)

    def find_conflict_end(self, neighbour: "_Buffer") -> int | None:
        """Find the furthest end of a value in `neighbour` that shares memory and time with a value here, or None.

        With a value of 100 numbers at offset 500 here, and one of 600 at offset 0 there at the same time, it is 600.
        """
        ends = [
            neighbour.offset + their_size
            for size, first, last in self.values
            for their_size, their_first, their_last in neighbour.values
            # Two ranges overlap if each begins before the other ends: first in time, then in memory.
            if first <= their_last
            and their_first <= last
            and self.offset < neighbour.offset + their_size
            and neighbour.offset < self.offset + size
        ]
        return max(ends, default=None)


def plan_memory(steps: Sequence[ComputedStep], image_size: int, *, keep_last: bool) -> WorkingMemory:
    """Choose offsets for the image of `image_size` numbers and for the output of every step.

    The largest buffers come first, each at the lowest offset that is free while its values are needed. `keep_last` is
    false if the last step writes elsewhere.

    Source: Pisarchyk and Lee 2020, "Greedy by Size for Offset Calculation". Deviation: a buffer is only as large as the
    value that is in it at the time.
    """
    buffers = _assign_buffers(steps, image_size, keep_last)
    placed: list[_Buffer] = []
    for buffer in sorted({id(buffer): buffer for buffer in buffers}.values(), key=lambda buffer: -buffer.size):
        # It moves up to the nearest end of a conflict, and is compared again. A jump to the furthest end would miss a
        # gap between two neighbours that is large enough.
        while ends := [stop for neighbour in placed if (stop := buffer.find_conflict_end(neighbour)) is not None]:
            buffer.offset = min(ends)
        placed.append(buffer)
    return WorkingMemory(
        tuple(buffer.offset for buffer in buffers), max(buffer.offset + buffer.size for buffer in placed)
    )


def _assign_buffers(steps: Sequence[ComputedStep], image_size: int, keep_last: bool) -> list[_Buffer]:
    """List the buffer of each value, the image first; a step in place has the buffer of its input again.

    Example: an image and the steps conv2d, max_pool and dense give the buffers a, b, b, c.
    """
    end = len(steps)
    last_read = [0] * (end + 1)
    for time, step in enumerate(steps, 1):
        for value in step.reads:
            last_read[value] = time
    last_read[end] = end  # no step reads the last value, but it becomes the logits
    buffers = [_Buffer([(image_size, 0, last_read[0])])]
    for time, step in enumerate(steps, 1):
        size = prod(step.output_shape) if time < end or keep_last else 0
        # A step may overwrite a value only if it is the last to read it.
        reused = next((value for value in step.reads if last_read[value] == time and _works_in_place(step)), None)
        if reused is None or size == 0:
            buffers.append(_Buffer([(size, time, last_read[time])]))
        else:
            buffers[reused].values.append((size, time, last_read[time]))
            buffers.append(buffers[reused])
    return buffers


def _works_in_place(step: ComputedStep) -> bool:
    """True if the step, which writes its output from first to last, never reads what it has written over."""
    match step.kind:
        case "add" | "activation" | "normalize":
            return True
        case "depthwise":
            return step.size == step.strides == (1, 1) and step.input_shape == step.output_shape
        case "max_pool" | "average_pool":  # output (i, j) is written when windows at (i, j) and later are still read
            return step.padding == (0, 0)
        case _:
            return False


def format_address(memory: WorkingMemory, value: int) -> str:
    """Write the address of a value in C."""
    return f"values + {memory.offsets[value]}"
