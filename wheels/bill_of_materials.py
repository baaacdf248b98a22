"""Write the bill of materials of a release as CycloneDX JSON: what its files contain and what they need.

    .venv-wheels/bin/python wheels/bill_of_materials.py

`make wheels` does this. The same commit gives the same bytes: the date is that of the commit.
"""

import json
import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from build_wheels import PROJECT, name_bill_of_materials
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

MNIST = "MNIST database of handwritten digits"
COMPILED = (
    ("nanobind", "BSD-3-Clause"),
    ("robin-map", "MIT"),
    ("musl", "MIT"),
    ("libc++", "Apache-2.0 WITH LLVM-exception"),
    ("compiler-rt", "Apache-2.0 WITH LLVM-exception"),
)
"""What NOTICE describes: parts of the Python extension and of the page's engine."""


def describe_release(project: Path, epoch: int) -> Bom:
    """Describe the contained parts and the required packages of the version in `pyproject.toml`.

    Args:
        epoch: the date of the release, in seconds since 1970.
    """
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = metadata["name"], metadata["version"]
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"pkg:pypi/{name}@{version}?epoch={epoch}"))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = release = _component(
        name, metadata["license"], version, PackageURL("pypi", name=name, version=version)
    )
    tools = dict(re.findall(r"^([\w-]+)==(\S+)$", (project / "wheels/requirements.txt").read_text("utf-8"), re.M))
    parts = [_component(part, licence, tools.get(part)) for part, licence in COMPILED]
    parts.append(_component(MNIST, "CC-BY-SA-3.0", kind=ComponentType.DATA))
    bundled = (project / "src/convscope/report/bundle/LICENSES.txt").read_text("utf-8")
    locked = json.loads((project / "web/package-lock.json").read_text("utf-8"))["packages"]
    for package, number in re.findall(r"^(\S+) (\d+\.\d+\.\d+)$", bundled, re.M):
        licence = locked[f"node_modules/{package}"]["license"]
        parts.append(_component(package, licence, number, PackageURL("npm", name=package, version=number)))
    needed = [_describe_requirement(Requirement(text)) for text in metadata["dependencies"]]
    for component in (*parts, *needed):
        bom.components.add(component)
    bom.register_dependency(release, needed)
    return bom


def _describe_requirement(requirement: Requirement) -> Component:
    component = _component(requirement.name, None, purl=PackageURL("pypi", name=requirement.name))
    component.scope = ComponentScope.REQUIRED
    component.description = f"installed with the package, {requirement.specifier}"
    return component


def _component(
    name: str,
    licence: str | None,
    version: str | None = None,
    purl: PackageURL | None = None,
    kind: ComponentType = ComponentType.LIBRARY,
) -> Component:
    licences = [LicenseFactory().make_from_string(licence)] if licence else []
    return Component(name=name, version=version, licenses=licences, purl=purl, type=kind, bom_ref=name)


def main() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = JsonV1Dot6(describe_release(PROJECT, int(os.environ["SOURCE_DATE_EPOCH"]))).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"the bill of materials does not keep to CycloneDX 1.6: {error}")
    path = name_bill_of_materials(PROJECT, version)
    path.write_text(text + "\n", encoding="utf-8")
    print(path.relative_to(PROJECT))


if __name__ == "__main__":
    main()
