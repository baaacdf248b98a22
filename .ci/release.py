"""Check the files that a release needs, and print the commands that tag it. Nothing is tagged, uploaded or changed.

    python .ci/release.py [FOLDER]

FOLDER is the checkout, by default the one of this script. Each problem is printed as a line. With problems, the exit
code is 1.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

sys.path.insert(0, str(Path(__file__).parent.parent / "wheels"))
from build_wheels import TARGETS, name_bill_of_materials

PYTHONS = ("cp311", "cp312")
_SECTION = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)


def find_problems(root: Path) -> Iterator[str]:
    """Yield a sentence for each file that is missing or does not agree with the others, with what to do."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"pyproject.toml: version {version} is not MAJOR.MINOR.PATCH"
    yield from _check_changelog(root, version)
    if not (root / "tests" / "storage" / "corpus" / f"{version}.zip").exists():
        yield f"tests/storage/corpus/{version}.zip: missing; run tests/storage/corpus/write.py {version}, and commit it"
    if not (root / "build" / "docs" / "index.html").exists():
        yield "build/docs/index.html: missing; run `make docs`"
    if not name_bill_of_materials(root, version).exists():
        yield f"build/{name_bill_of_materials(root, version).name}: missing; run `make wheels`"
    yield from _check_distributions(root / "dist", name, Version(version))
    if changed := _git(root, "status", "--porcelain"):
        yield f"the checkout has {len(changed)} changes that are not committed, such as {changed[0].strip()}"
    if _git(root, "tag", "--list", f"v{version}"):
        yield f"the tag v{version} is there already; raise the version in pyproject.toml and CITATION.cff"


def _check_changelog(root: Path, version: str) -> Iterator[str]:
    """Yield where CHANGELOG.md and CITATION.cff do not agree with pyproject.toml."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    dates = dict(_SECTION.findall(text))
    if version not in dates:
        yield f"CHANGELOG.md: has no line '## [{version}] - YYYY-MM-DD'; give what is under Unreleased this title"
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if unreleased is None:
        yield "CHANGELOG.md: has no section Unreleased; add an empty one at the top"
    elif unreleased[1].strip():
        yield f"CHANGELOG.md: has entries under Unreleased; move them to the section of {version}"
    cited = dict(
        re.findall(r"^([\w-]+): *[\"']?([^\"'\n]*)", (root / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    )
    if cited.get("version") != version:
        yield f"CITATION.cff: version is {cited.get('version')}, but {version} in pyproject.toml"
    if version in dates and cited.get("date-released") != dates[version]:
        yield f"CITATION.cff: date-released is {cited.get('date-released')}, but {dates[version]} in CHANGELOG.md"


def _check_distributions(folder: Path, name: str, version: Version) -> Iterator[str]:
    """Yield the problems of the files in dist/: it must have an sdist and all wheels of Linux, all of this version."""
    sdists, tags = 0, set[tuple[str, str]]()
    for path in sorted(folder.glob("*")):
        try:
            if path.suffix == ".whl":
                *name_and_version, _, new = parse_wheel_filename(path.name)
                tags |= {(tag.interpreter, tag.platform) for tag in new}
            else:
                name_and_version, sdists = parse_sdist_filename(path.name), sdists + 1
        except (InvalidSdistFilename, InvalidWheelFilename):
            yield f"dist/{path.name}: is neither a wheel nor an sdist; remove it"
            continue
        if tuple(name_and_version) != (name, version):
            yield f"dist/{path.name}: is not of {name} {version}; remove it"
    if not sdists:
        yield "dist/ has no sdist; run `make wheels`"
    expected = [(python, target.tag) for python in PYTHONS for target in TARGETS]
    if missing := [" for ".join(pair) for pair in expected if pair not in tags]:
        yield f"dist/ lacks the wheels of {', '.join(missing)}; run `make wheels` with Python 3.11 and a later one"


def _git(root: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main(root: Path) -> int:
    """Print the problems, or without one the next steps, and return the exit code."""
    messages = list(find_problems(root))
    for line in messages:
        print(f"- {line}")
    if messages:
        print(f"Not ready: {len(messages)} problem{'s' if len(messages) > 1 else ''}.")
        return 1
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    files = [*sorted((root / "dist").iterdir()), name_bill_of_materials(root, version)]
    digests = [f"  {sha256(file.read_bytes()).hexdigest()}  {file.relative_to(root)}" for file in files]
    print("\n".join(["Ready. These are the files of the release and their SHA-256:", *digests]))
    print(
        f"Now tag this commit, push the tag, and attach these files to it; the workflow `wheels.yml` adds the "
        f"wheels of macOS and Windows:\n  git tag --annotate v{version} --message {version}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent))
