"""Compare convscope with its peers in turns on this machine and print the table of ratios.

    make bench                                                    all rows, three turns
    .venv/bin/python benchmarks/compare.py --rows loops latency --repeat 5 --json FILE

The sides of a row take turns (ours, a peer, ours, another, ...), each in a fresh process, so that a busy neighbour hits
all of them. Every repetition of every turn counts; a ratio is the median of the best peer over the median of ours.
Square brackets hold the least and greatest value, round ones how many there are.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine
from processes import MeasurementError
from results import Result, table
from rows import ROWS, Row
from sides import SIDES, Bench, Record


@dataclass
class Turns:
    """The records of the sides of some rows, and the reasons why sides have none."""

    bench: Bench
    quiet_seconds: float
    records: dict[str, list[Record]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def measure(self, rows: Sequence[Row], repeat: int) -> None:
        """Let the sides of rows that share `ours` take turns; peers are not measured where `ours` cannot be."""
        ours = rows[0].ours
        peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
        for _ in range(1 if all(row.once for row in rows) else repeat):
            for peer in peers or [ours]:
                self._take(ours)
                if ours in self.reasons:
                    return
                if peer != ours:
                    self._take(peer)

    def result(self, row: Row) -> Result:
        for side in (row.ours, *row.peers):
            if side in self.reasons:
                return Result(row.title, row.bound, note=f"{SIDES[side].name}: {self.reasons[side]}")
        return row.judge(row, self.records)

    def _take(self, side: str) -> None:
        if side in self.reasons:
            return
        busy = machine.wait_until_quiet(self.quiet_seconds)
        try:
            record = SIDES[side].measure(self.bench)
        except MeasurementError as error:
            record = {"skipped": str(error)}
        if "skipped" in record:
            self.reasons[side] = record["skipped"]
            say(f"{side}: not measured: {record['skipped']}")
            return
        turn = sum(map(len, self.records.values()))
        self.records.setdefault(side, []).append({**record, "turn": turn, "busy_before": busy})
        say(
            f"{side}: {', '.join(f'{value:.3g}' for value in record['seconds'][:8])} s (others took {100 * busy:.0f} %)"
        )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def describe(measurement: dict[str, Any]) -> str:
    """Format the lines above the table: the machine, the versions, the load."""
    here = measurement["machine"]
    lines = [
        f"{here['processor']}, {here['cores']} cores, {' '.join(here['instruction_sets'])}; {here['system']}",
        "; ".join(f"{name} {number}" for name, number in measurement["versions"].items()),
        f"load average {measurement['load_before']} before, {measurement['load_after']} after; "
        f"before a turn others took up to {100 * measurement['busiest']:.0f} % of the processor",
        f"{measurement['repeat']} turns a peer",
    ]
    if measurement["busiest"] > machine.QUIET:
        lines.append("NOT QUIET: others took a part of the processor that differs from turn to turn; measure again")
    return "\n".join(lines)


def main() -> None:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--repeat", type=int, default=3, help="turns that each peer takes (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there as well")
    parser.add_argument("--quiet", type=float, default=30, help="seconds to wait for a quiet moment before a turn")
    options = parser.parse_args()
    if options.repeat < 1:
        parser.error(f"--repeat {options.repeat}: at least 1")
    rows = [row for row in ROWS if row.name in options.rows]
    measurement: dict[str, Any] = {
        "machine": machine.describe(),
        "load_before": machine.load(),
        "repeat": options.repeat,
    }
    with TemporaryDirectory() as scratch:
        turns = Turns(Bench(Path(sys.executable), Path(scratch)), options.quiet)
        for ours in dict.fromkeys(row.ours for row in rows):
            turns.measure([row for row in rows if row.ours == ours], options.repeat)
    results = [turns.result(row) for row in rows]
    records = [record for side in turns.records.values() for record in side]
    measurement["load_after"] = machine.load()
    measurement["busiest"] = max((record["busy_before"] for record in records), default=0.0)
    measurement["versions"] = {
        name: number for record in records for name, number in record.get("versions", {}).items() if name != "python"
    }
    print(f"{describe(measurement)}\n\n{table(results)}")
    if options.json is not None:
        document = {**measurement, "results": [result.to_dict() for result in results], "records": turns.records}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
