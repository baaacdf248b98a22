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


def find_lowest_versions(requirements: Iterable[str]) -> dict[str, Version]:
    """Find the lowest allowed version of each package; of two bounds the higher counts.

    Raises:
        ValueError: if a requirement has no lower bound.
    """
    versions: dict[str, Version] = {}
    for text in requirements:
        requirement = Requirement(text)
        bounds = [Version(bound.version) for bound in requirement.specifier if bound.operator == ">="]
        if not bounds:
            raise ValueError(f"{text!r} has no lower bound; give it one with >=")
        versions[requirement.name] = max(*bounds, versions.get(requirement.name, bounds[0]))
    return versions


if __name__ == "__main__":
    path, *extras = sys.argv[1:]
    project = tomllib.loads(Path(path).read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(text for extra in extras for text in optional[extra])]
    print("\n".join(f"{name}=={version}" for name, version in sorted(find_lowest_versions(requirements).items())))
