"""Print which out-of-distribution images networks refuse as "none of these". None of these images fitted the rule.

python benchmarks/out_of_distribution.py [--recipes fast classic] [--seed 0] [--validation-fraction 0.1]

For each recipe `cnn` is trained without the validation images, a rule is fitted to these, and the table of
`measure_rejection` is printed with its 95 % intervals. Probabilities are at the temperature fitted to the validation
images. docs/methods/rejection.md lists the images; Fashion-MNIST needs
Debian's package.
"""

import argparse
import platform
from dataclasses import replace
from importlib.metadata import version

import machine

import convscope as cs
from convscope.architecture import presets
from convscope.evidence.calibration import fit_temperature
from convscope.evidence.rejection import fit_rejection, measure_rejection
from convscope.training import hold_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["fast", "classic"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation-fraction", type=float, default=0.1)
    arguments = parser.parse_args()

    data = cs.load_dataset("mnist")
    print(f"device              {machine.describe()['processor']}, load {machine.load()[0]}")
    print(f"python, convscope   {platform.python_version()}, {version('convscope')}")
    for name in arguments.recipes:
        recipe = replace(getattr(cs.recipes, name), validation_fraction=arguments.validation_fraction)
        model, _ = cs.train(presets.cnn(), data, recipe, seed=arguments.seed)
        trained_on, held_out = hold_out(data, recipe, arguments.seed)
        assert held_out is not None, arguments.validation_fraction
        temperature = fit_temperature(model.logits(held_out.images), held_out.labels)
        rule = fit_rejection(model, [(model, trained_on, held_out)])
        measured = measure_rejection(
            rule, replace(model, calibration={"temperature": temperature}), data.test, seed=arguments.seed
        )
        print(f"\ncnn by {name}, seed {arguments.seed}, temperature {temperature:.3f}")
        print(measured, flush=True)


if __name__ == "__main__":
    main()
