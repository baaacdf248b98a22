"""Write a corrected copy of a data set from a list of corrections, and say how to go on."""

import shlex
from pathlib import Path

from convscope.base.records import Record
from convscope.base.tables import printable, text_table
from convscope.data.corrections import SplitCorrections, read_corrections, write_corrected
from convscope.data.datasets import LoadOptions
from convscope.data.datasets.named.entries import OnProgress
from convscope.runs.data import load_data


class FixedData(Record, kw_only=True):
    """A corrected copy of a data set.

    Attributes:
        dataset: the path of the copy.
        image_size: (H, W) with which it must be loaded, as its original was; None if it needs none.
    """

    dataset: str
    train: SplitCorrections
    test: SplitCorrections
    image_size: tuple[int, int] | None

    def __str__(self) -> str:
        rows = [
            (split, f"{counts.kept:,}", f"{counts.relabelled:,}", f"{counts.dropped:,}", f"{counts.num_images:,}")
            for split, counts in (("train", self.train), ("test", self.test))
        ]
        table = text_table(("split", "kept", "relabelled", "dropped", "images now"), rows)
        size = [] if self.image_size is None else ["--image-size", "{}x{}".format(*self.image_size)]
        data = shlex.join(["--dataset", self.dataset, *size])
        next_steps = [f"convscope train {data}", "convscope compare BEFORE AFTER"]
        if number := self.test.num_changed:
            next_steps[1] = f"convscope evaluate BEFORE --dataset {shlex.quote(self.dataset)} --split test"
            verdict = (
                f"{number:,} test {'label was' if number == 1 else 'labels were'} corrected, so accuracies before and "
                "after count other labels.\nMeasure the earlier network on the corrected test images too."
            )
        else:
            verdict = "No test label was changed, so accuracies before and after count the same labels."
        steps = "\n".join(f"  {printable(step)}" for step in next_steps)
        return f"{table}\n\n{verdict}\n\nNext, with the folder of the earlier run as BEFORE:\n{steps}"


def fix_labels(
    data: str, corrections: Path, out: Path, loading: LoadOptions, on_progress: OnProgress | None = None
) -> FixedData:
    """Write the data set with this name or path to `out` as the list `corrections` says; the original is not changed.

    Args:
        loading: the options with which the list was made.

    Raises:
        ConvscopeError: if the data or the list cannot be read or do not fit each other, or `out` cannot be written.
    """
    _, splits = load_data(data, loading, on_progress)
    result = read_corrections(corrections, splits)
    write_corrected(Path(data), splits, result, out)
    # An .npz file has the images as they were loaded.
    image_size = splits.options.image_size if splits.train.files else None
    return FixedData(dataset=str(out), train=result.counts["train"], test=result.counts["test"], image_size=image_size)
