"""Run every fuzzing entry, or those that are named, for `--seconds` each, and fail if one finds anything.

    python fuzz/run.py [--seconds 600] [--folder build/fuzz] [ENTRY...]
    python fuzz/run.py networks [OPTION...]

An entry is one of idx, npz, csv, parquet, image, safetensors, keras, pt2, tflite and onnx; by default all are run.
`networks` computes random networks instead of reading files, and has options of its own: see networks.py.

A finding is any exception that is not the reader's own error, a file that takes more than `--megabytes`, or one that
takes more than `TIMEOUT_SECONDS`. The file that causes it is kept in FOLDER/found; give it to the entry to
see it again: `python fuzz/fuzz_idx.py build/fuzz/found/idx-crash-...`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import networks

HERE = Path(__file__).parent
ENTRIES = ("idx", "npz", "csv", "parquet", "image", "safetensors", "keras", "pt2", "tflite", "onnx")
TIMEOUT_SECONDS = 60
MAX_BYTES = 1 << 16  # size of an input; larger ones are slower and find no more


def main() -> int:
    """Run the fuzzers; return 0 if they find nothing."""
    if sys.argv[1:2] == ["networks"]:
        return networks.main(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", nargs="*", default=list(ENTRIES), metavar="ENTRY")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    options = parser.parse_args()
    folder = options.folder / "found"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, HERE / "seeds.py", options.folder / "seeds"], check=True)
    failed = []
    for name in options.entries:
        corpus = options.folder / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        print(f"fuzz_{name}: {options.seconds} s", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            [
                sys.executable,
                HERE / f"fuzz_{name}.py",
                corpus,
                options.folder / "seeds" / name,
                f"-max_total_time={options.seconds}",
                f"-rss_limit_mb={options.megabytes}",
                f"-timeout={TIMEOUT_SECONDS}",
                f"-max_len={MAX_BYTES}",
                f"-artifact_prefix={folder}/{name}-",
                "-print_final_stats=1",
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        stats = [line.removeprefix("stat::") for line in done.stderr.splitlines() if line.startswith("stat::")]
        print(
            f"  {time.monotonic() - start:.0f} s, {'; '.join(' '.join(line.split()) for line in stats[:4])}", flush=True
        )
        if done.returncode != 0:
            failed.append(name)
            lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("#", "stat::"))]
            print("\n".join(lines[-40:]), flush=True)
    print(
        f"found something: {', '.join(failed)}; see {folder}" if failed else "found nothing but the readers' own errors"
    )
    if options.entries == list(ENTRIES) and networks.main([]) != 0:
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
