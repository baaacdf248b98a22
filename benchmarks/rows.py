"""The rows of the table: the sides that each one needs, its bound, and how its result is computed from records."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from results import Bound, Result, Sample, ratio
from sides import SIDES, Record

Records = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        ours, peers: names in `SIDES`; rows with the same `ours` are measured together.
        judge: computes the result from the records of those sides.
        once: whether one record of ours is enough, because it holds many runs.
    """

    name: str
    title: str
    bound: Bound
    ours: str
    peers: tuple[str, ...]
    judge: Callable[["Row", Records], Result]
    once: bool = False


def sample(side: str, records: Records, field: str = "seconds") -> Sample:
    """Collect all values of `field` in the records of `side`."""
    values: list[float] = []
    for record in records[side]:
        value = record[field]
        values += value if isinstance(value, list) else [value]
    return Sample(SIDES[side].name, tuple(values), "bytes" if field.endswith("_bytes") else "s")


def judge_ratio(row: Row, records: Records, field: str = "seconds") -> Result:
    """Judge the best peer's median over ours; the note has the ratios of single turns."""
    peers = {peer: sample(peer, records, field) for peer in row.peers}
    best = min(peers, key=lambda peer: peers[peer].median)
    turns = [
        sample(best, {best: [record]}, field).median / sample(row.ours, {row.ours: [beside]}, field).median
        for record in records[best]
        for beside in [max((r for r in records[row.ours] if r["turn"] < record["turn"]), key=lambda r: int(r["turn"]))]
    ]
    note = f"by turn {min(turns):.2f} to {max(turns):.2f}"
    return ratio(row.title, row.bound, sample(row.ours, records, field), list(peers.values()), note=note)


def judge_latency(row: Row, records: Records) -> Result:
    return judge_ratio(row, records, "single_seconds")


def judge_memory(row: Row, records: Records) -> Result:
    return judge_ratio(row, records, "peak_memory_bytes")


def judge_peak_share(row: Row, records: Records) -> Result:
    """Judge the work of an epoch over what the processor could have done in that time at its measured peak."""
    epochs, own_records = sample(row.ours, records), records[row.ours]
    if "peak_gflops" not in own_records[0]:
        return Result(row.title, row.bound, note=own_records[0].get("peak_skipped", "no peak was measured"))
    peak = statistics.median(record["peak_gflops"] for record in own_records)
    needed = own_records[0]["needed_gflop"]
    note = f"{needed:.1f} GFLOP needed an epoch; peak {peak:.0f} GFLOP/s"
    return Result(row.title, row.bound, needed / epochs.median / peak, (epochs,), note=note)


def judge_fast(row: Row, records: Records) -> Result:
    """Judge the time to train, on condition that the accuracies hold: mean 99.2 %, every seed 99.03 %."""
    seconds, accuracies = sample(row.ours, records), records[row.ours][0]["accuracies"]
    mean, least = statistics.mean(accuracies), min(accuracies)
    note = f"accuracy {100 * mean:.3f} %, sd {100 * statistics.stdev(accuracies):.3f}, least {100 * least:.2f} %"
    good = mean >= 0.992 and least >= 0.9903
    return Result(row.title, row.bound, seconds.median, (seconds,), good, f"{note}, n = {len(accuracies)}")


def judge_seconds(row: Row, records: Records) -> Result:
    seconds = sample(row.ours, records)
    return Result(row.title, row.bound, seconds.median, (seconds,))


_LOOPS = ("tensorflow", "pytorch", "jax")
_RUNTIMES = ("onnxruntime", "onnxruntime-1")
_DEEP = Bound(1.0, 1.5)

ROWS = (
    Row("keras-fit", "an epoch of `cnn`, against Keras `fit`", Bound(6, 10), "epoch", ("keras-fit",), judge_ratio),
    Row("loops", "an epoch of `cnn`, against the best library loop", Bound(4, 6), "epoch", _LOOPS, judge_ratio),
    Row("peak", "share of the fp32 peak, needed work only", Bound(0.4, 0.6, "%"), "epoch", (), judge_peak_share),
    Row("fast", "`fast`: one training of `cnn`, 30 seeds", Bound(0.5, 0.25, "s"), "fast", (), judge_fast, once=True),
    Row("process", "`convscope train --recipe fast`", Bound(1.2, 0.6, "s"), "fast-process", (), judge_seconds),
    Row("run", "`convscope run --seeds 1`, against the notebook", Bound(4, 8), "run", ("notebook",), judge_ratio),
    Row("memory", "its peak memory, against the notebook's", Bound(4, 8), "run", ("notebook",), judge_memory),
    Row("inference", "10,000 images classified", Bound(1.5, 3), "infer", _RUNTIMES, judge_ratio),
    Row("latency", "one image classified", Bound(1.5, 3), "infer", _RUNTIMES, judge_latency),
    Row("vgg", "an epoch of VGG-like 32-32-64-64-128", _DEEP, "vgg", ("tensorflow-vgg", "pytorch-vgg"), judge_ratio),
    Row("m3", "an epoch of M3, ten 3 x 3", _DEEP, "m3", ("tensorflow-m3", "pytorch-m3"), judge_ratio),
    Row("m5", "an epoch of M5, five 5 x 5", _DEEP, "m5", ("tensorflow-m5", "pytorch-m5"), judge_ratio),
    Row(
        "residual",
        "an epoch of `residual`",
        Bound(1.5, 2.5),
        "residual",
        ("tensorflow-residual", "pytorch-residual"),
        judge_ratio,
    ),
    Row(
        "residual-bfloat16",
        "an epoch of `residual` in bfloat16 on all sides",
        Bound(1.5, 2.5),
        "residual-bfloat16",
        ("tensorflow-residual-bfloat16", "pytorch-residual-bfloat16"),
        judge_ratio,
    ),
    Row(
        "seeds",
        "seeds at once, one a core, against one after another",
        Bound(1.0, 1.1),
        "seeds-one-a-core",
        ("seeds-one-after-another",),
        judge_ratio,
    ),
)
