"""Compute some cases with the engine's module at a path, and print a line of JSON for each: started by networks.py.

python fuzz/network_worker.py MODULE SET SEED FIRST COUNT

Each case is announced by a line of its own before it is computed, so that a crash has a number.
"""

import importlib.util
import json
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from network_cases import Case

SECONDS_A_CASE = 120  # then the process ends, as after a crash; most take less than a tenth of a second


def main() -> None:
    """Compute case after case."""
    module, instruction_set, *numbers = sys.argv[1:]
    seed, first, count = map(int, numbers)
    name = "convscope.engine._native"
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None
    assert spec.loader is not None
    native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(native)
    sys.modules[name] = native  # in the installed one's place
    sys.path.insert(0, str(Path(__file__).parent.parent))  # of the package `tests`, which has the generator

    from network_cases import draw_case, targets
    from network_checks import check_case
    from tests.random_networks import kinds_of

    from convscope.engine.native import instruction_sets

    warnings.simplefilter("error")
    precision = "bfloat16" if instruction_set in instruction_sets("bfloat16") else "float32"
    triples = targets(seed)
    for number in range(first, first + count):
        print(number, flush=True)
        signal.alarm(SECONDS_A_CASE)
        case = draw_case(triples[number % len(triples)], seed, number)
        findings = check_case(case, instruction_set, precision)
        signal.alarm(0)
        line = {**vars(findings), "kinds": kinds_of(case.architecture)}
        if findings.failures:
            line["case"] = describe(case)
        print(json.dumps(line), flush=True)


def describe(case: "Case") -> dict[str, Any]:
    """Return what a person needs to see of a case that failed."""
    return {
        "architecture": case.architecture.to_dict(),
        "images": len(case.images),
        "batch_size": case.batch_size,
        "threads": case.threads,
        "options": str(case.options),
    }


if __name__ == "__main__":
    main()
