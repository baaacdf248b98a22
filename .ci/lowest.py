"""Print the lowest version of each package that convscope allows, as constraints for pip.

    python .ci/lowest.py pyproject.toml serve parquet

The packages are those of the run-time dependencies and of the extras named; their lower bounds are read from
`pyproject.toml`, so there is no second list.
"""

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def lowest(requirements: Iterable[str]) -> dict[str, Version]:
    """Return the lowest allowed version by package; of two bounds for one package the higher.

    Raises:
        ValueError: if a requirement has no lower bound.
    """
    found: dict[str, Version] = {}
    for text in requirements:
        requirement = Requirement(text)
        bounds = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        if not bounds:
            raise ValueError(f"{text!r} has no lower bound; give it one with >=")
        found[requirement.name] = max(*bounds, found.get(requirement.name, bounds[0]))
    return found


if __name__ == "__main__":
    path, *extras = sys.argv[1:]
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    asked = [*project["dependencies"], *(one for extra in extras for one in optional[extra])]
    print("\n".join(f"{name}=={version}" for name, version in sorted(lowest(asked).items())))
