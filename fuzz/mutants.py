"""Change one operator or number at a time in the code that counts and reads, and see whether its tests notice.

    python fuzz/mutants.py --count 60           a sample of the mutants of each part
    python fuzz/mutants.py --count 60 readers   a sample of one part

cosmic-ray makes the changes in the files themselves and puts them back; run it in a checkout of its own. A mutant
that survives is printed as a diff: it shows a missing test, or a change that makes no difference.
"""

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES, TESTS = Path("src/convscope"), Path("tests")
PARTS = {  # the source of each part, and its tests
    "metrics": ("base/metrics.py", "base/test_metrics.py"),
    "statistics": ("base/statistics.py", "base/test_statistics.py"),
    "comparison": ("evidence/comparison", "evidence/comparison"),
    "calibration": ("evidence/calibration", "evidence/calibration"),
    "readers": ("data/datasets/readers", "data/datasets/readers"),
}
CONFIG = """
[cosmic-ray]
module-path = {module!r}
timeout = 600.0
excluded-modules = []
test-command = {command!r}

[cosmic-ray.distributor]
name = "local"
"""


def main() -> None:
    """Measure the parts that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="Parts; all by default.")
    parser.add_argument("--count", type=int, default=60, help="Mutants of each part.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the sample.")
    options = parser.parse_args()
    for part in options.parts or PARTS:
        killed, survivors = measure(part, options.count, options.seed)
        print("\n".join(survivors))
        print(f"{part}: {killed} of {killed + len(survivors)} mutants were noticed", flush=True)


def measure(part: str, count: int, seed: int) -> tuple[int, list[str]]:
    """Count the mutants of `part` that its tests notice, and list the diffs of the others."""
    source, tests = PARTS[part]
    command = f"{sys.executable} -m pytest -q -x -n0 -p no:cacheprovider {TESTS / tests}"
    with tempfile.TemporaryDirectory() as folder:
        config, session = Path(folder) / "config.toml", Path(folder) / "session.sqlite"
        config.write_text(CONFIG.format(module=str(SOURCES / source), command=command))
        _cosmic_ray("baseline", config)  # the tests pass before anything is changed
        _cosmic_ray("init", config, session)
        with sqlite3.connect(session) as database:
            jobs = [job for (job,) in database.execute("SELECT job_id FROM work_items ORDER BY job_id")]
            # Job ids are random, so the jobs are sorted by the position of their change before the sample is drawn.
            positions = dict(
                database.execute(
                    "SELECT job_id, module_path || start_pos_row || operator_name || occurrence || start_pos_col "
                    "FROM mutation_specs"
                )
            )
            chosen = set(
                random.Random(seed).sample(sorted(jobs, key=lambda job: positions[job]), min(count, len(jobs)))
            )
            database.executemany("DELETE FROM mutation_specs WHERE job_id = ?", [(j,) for j in jobs if j not in chosen])
            database.executemany("DELETE FROM work_items WHERE job_id = ?", [(j,) for j in jobs if j not in chosen])
        _cosmic_ray("exec", config, session)
        with sqlite3.connect(session) as database:
            results = list(database.execute("SELECT test_outcome, diff FROM work_results"))
    survivors = [diff for outcome, diff in results if "SURVIVED" in str(outcome).upper()]
    return len(results) - len(survivors), survivors


def _cosmic_ray(verb: str, *files: Path) -> None:
    subprocess.run([Path(sys.executable).with_name("cosmic-ray"), verb, *files], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
