"""Check some cases with the engine's module at a path, and print a line of JSON for each; started by networks.py.

python fuzz/network_worker.py MODULE SET,SET,... SEED FIRST COUNT

Before a set computes a case, a line with both announces it, so that networks.py knows at which of them a crash was.
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
    module, names, *numbers = sys.argv[1:]
    seed, first, count = map(int, numbers)
    name = "convscope.engine._native"
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None
    assert spec.loader is not None
    native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(native)
    sys.modules[name] = native  # in place of the installed module
    sys.path.insert(0, str(Path(__file__).parent.parent))  # the folder of the package `tests`, which has the generator

    from network_cases import draw_case, targets
    from network_checks import Oracle, check_case
    from tests.random_networks import kinds_of

    from convscope.engine.processor import instruction_sets

    warnings.simplefilter("error")
    for_bfloat16 = instruction_sets("bfloat16")
    triples = targets(seed)
    for number in range(first, first + count):
        case = draw_case(triples[number % len(triples)], seed, number)
        oracle = Oracle(case)
        for instruction_set in names.split(","):
            print(number, instruction_set, flush=True)
            signal.alarm(SECONDS_A_CASE)
            findings = check_case(oracle, instruction_set, "bfloat16" if instruction_set in for_bfloat16 else "float32")
            signal.alarm(0)
            line = {**vars(findings), "kinds": kinds_of(case.architecture)}
            if findings.failures:
                line["case"] = describe(case)
            print(json.dumps(line), flush=True)


def describe(case: "Case") -> dict[str, Any]:
    """Describe a case that failed, for a person who looks for the reason."""
    return {
        "architecture": case.architecture.to_dict(),
        "images": len(case.images),
        "batch_size": case.batch_size,
        "threads": case.threads,
        "options": str(case.options),
    }


if __name__ == "__main__":
    main()
