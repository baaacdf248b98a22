"""Hold the code to the table in docs/design.md: who may import whom, and what lives in `cli` alone."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import convscope

PACKAGE = Path(convscope.__file__).parent
ROOT = Path(__file__).parent.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
PUBLIC_FACE = {"__init__", "__main__"}  # the package's own two modules stand above the table and import what they show


def import_table():
    """Return the line of each room, from the table in docs/design.md: "10  cli" down to "0   base"."""
    lines = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").splitlines()
    matches = [re.fullmatch(r"(\d+) *((?:  \w+)+)", line) for line in lines]
    return {room: int(match[1]) for match in matches if match for room in match[2].split()}


def room_of(path):
    """Return the first component under convscope: a folder or a module."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes_of(source):
    """Parse `source` once for all tests."""
    return tuple(ast.walk(ast.parse(source)))


def find_imports(source, package="convscope"):
    """Yield (line, dotted name) of everything that `source` imports, wherever in the file it stands.

    `package` is the dotted name that relative imports start from.
    """
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *filter(None, [node.module])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def violations(path, source, table):
    """List the imports of a room other than its own that is not on a lower line of the table, or not in it."""
    room, package = room_of(path), ".".join(["convscope", *path.relative_to(PACKAGE).parts[:-1]])
    if room in PUBLIC_FACE:
        return []
    lines = []
    for line, name in find_imports(source, package):
        first, _, rest = name.partition(".")
        imported = rest.partition(".")[0]  # "" for `import convscope`, which is a violation
        if first == "convscope" and imported != room and table.get(imported, 99) >= table[room]:
            lines.append(f"{path.relative_to(PACKAGE)}:{line}: {room} (line {table[room]}) imports {name}")
    return lines


def names_used(source):
    """Yield (line, name) of every name and dotted name in `source`, such as `print` and `sys.exit`."""
    for node in nodes_of(source):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
    yield from find_imports(source)


def test_the_table_is_read_from_the_design_page():
    table = import_table()
    assert table["cli"] == max(table.values()) == 10
    assert table["base"] == 0
    assert table["engine"] > table["architecture"] == table["data"]


@pytest.mark.slow
def test_every_room_has_a_line_and_imports_only_lower_ones():
    table = import_table()
    assert {room_of(path) for path in MODULES} <= table.keys() | PUBLIC_FACE, "a room that docs/design.md does not name"
    assert [line for path in MODULES for line in violations(path, path.read_text(encoding="utf-8"), table)] == []


@pytest.mark.parametrize(
    ("module", "source", "is_wrong"),
    [
        ("engine/network.py", "from convscope.training.model import Model", True),
        ("engine/network.py", "import convscope.cli.main", True),
        ("engine/network.py", "def f():\n    from convscope import training", True),
        ("engine/network.py", "from ..model import Model", True),
        ("engine/network.py", "from .. import model", True),
        ("engine/network.py", "if TYPE_CHECKING:\n    import convscope.report", True),
        ("engine/network.py", "import convscope as cs", True),
        ("engine/network.py", "from convscope import Model", True),
        ("engine/network.py", "from .reference import adam", False),
        ("engine/network.py", "from convscope.architecture.layers import Conv2D", False),
        ("engine/network.py", "from convscope import recipes", False),
        ("engine/network.py", "import numpy, convscopes.model", False),
        ("data/datasets/idx.py", "import convscope.architecture", True),
        ("data/datasets/idx.py", "from convscope import base", False),
        ("base/files.py", "from convscope.data import datasets", True),
        ("base/files.py", "from .errors import ConvscopeError", False),
        ("__init__.py", "from convscope.training import train", False),
    ],
)
def test_the_rule_finds_only_forbidden_words(module, source, is_wrong):
    assert bool(violations(PACKAGE / module, source, import_table())) == is_wrong


def module_imports(name, path, source, modules):
    """Return the `modules` that module `name` imports, also inside functions and for types."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    names = {imported for _, imported in find_imports(source, package)}
    return ({name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()) - {name}


def circle_in(imports):
    """Return the modules of one circle of `imports`, or an empty list where there is none."""
    completed, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module) :]
        if module in completed:
            return []
        completed.add(module)
        path.append(module)
        for imported in sorted(imports[module]):
            if circle := visit(imported):
                return circle
        path.pop()
        return []

    return next(filter(None, map(visit, imports)), [])


def module_name(path):
    return ".".join([*path.relative_to(PACKAGE.parent).with_suffix("").parts]).removesuffix(".__init__")


@pytest.mark.slow
def test_no_modules_import_each_other_in_a_circle():
    modules = {module_name(path): path for path in [*MODULES, *PACKAGE.rglob("*.pyi")]}
    imports = {n: module_imports(n, p, p.read_text(encoding="utf-8"), modules) for n, p in modules.items()}
    assert sum(map(len, imports.values())) > len(modules)
    assert circle_in(imports) == []


FORBIDDEN = re.compile(r"print|tqdm(\..*)?|click\.echo|sys\.(exit|stdout)|os\._exit|exit|quit|breakpoint")


@pytest.mark.slow
def test_only_the_command_line_prints_and_exits():
    calls = [
        (str(path.relative_to(PACKAGE)), line, name)
        for path in MODULES
        if room_of(path) != "cli"
        for line, name in names_used(path.read_text(encoding="utf-8"))
        if FORBIDDEN.fullmatch(name)
    ]
    assert calls == []


COMPUTING = {"numpy", "scipy", "matplotlib", "PIL", "statistics"}


def computing_imports(source):
    """Return the numeric packages that `source` imports anywhere."""
    return {name.split(".")[0] for _, name in find_imports(source)} & COMPUTING


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) == "cli"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_command_line_computes_nothing(path):
    assert computing_imports(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import convscope", {"lazy_loader"}),
        ("import convscope; dir(convscope); convscope.__version__", {"lazy_loader"}),
        ("from convscope.cli import main; main(['--help'], standalone_mode=False)", {"click", "lazy_loader"}),
        (
            "from convscope.cli import main; main(['serve', '--help'], standalone_mode=False)",
            {"click", "lazy_loader", "numpy", "safetensors", "xxhash"},
        ),
        ("import convscope; convscope.load_dataset, convscope.train", {"lazy_loader", "numpy"}),
    ],
)
def test_nothing_is_imported_before_it_is_used(code, loaded):
    show = "import sys; print('|', *{name.partition('.')[0] for name in sys.modules})"
    completed = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True)
    others = {"PIL", "click", "jinja2", "lazy_loader", "matplotlib", "numpy", "safetensors", "scipy", "tqdm", "xxhash"}
    assert others & set(completed.stdout.rpartition("|")[2].split()) == loaded


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = list(map(Requirement, [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]))
NAMES = {"PIL": "pillow", "mlflow": "mlflow-skinny", "sklearn": "scikit-learn"}
"""Packages that are installed by another name than they are imported."""

IMPORTING = {"import_module", "require", "_import", "find_spec"}
"""Functions that import the module that is named."""


def packages_imported(source):
    """Return the packages that `source` imports, in functions and by name too, but for Python's own and convscope."""
    names = {name for _, name in find_imports(source)}
    for node in nodes_of(source):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=package), *_]) if name in IMPORTING:
                names.add(package)
    return {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "convscope"}


@pytest.mark.slow
def test_every_package_that_is_imported_is_declared():
    imported = set().union(*(packages_imported(path.read_text(encoding="utf-8")) for path in MODULES))
    assert {"numpy", "h11", "keras", "markupsafe", "onnx", "starlette", "uvicorn"} <= imported
    declared = {requirement.name.replace("_", "-") for requirement in REQUIREMENTS}
    assert {NAMES.get(name, name.replace("_", "-")) for name in imported} <= declared


@pytest.mark.parametrize("package", ["keras", "uvicorn"])
def test_a_package_whose_private_parts_are_used_has_an_upper_bound(package):
    """Adam's variables in `engine/keras/fitting.py`, and the class of connections in `service/server.py`."""
    (bounds,) = {str(requirement.specifier) for requirement in REQUIREMENTS if requirement.name == package}
    assert "<" in bounds


NAMING = {"make_portable", "loading_words", "locate", "find_pictures", "load_model"}
"""Functions that name, find, open or print a value, which a command may call without a job in between."""


def functions_called(source):
    """Return the functions that `source` imports from rooms other than `base`, `runs`, `service` and `cli`."""
    return {
        name
        for _, name in find_imports(source)
        if name.startswith("convscope.")
        and name.split(".")[1] not in ("base", "runs", "service", "cli")
        and (function := name.rpartition(".")[2]).islower()
        and function not in NAMING
    }


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) == "cli"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_command_leaves_the_steps_to_a_job(path):
    assert functions_called(path.read_text(encoding="utf-8")) == set()


def test_no_source_file_is_longer_than_410_lines():
    sources = [*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "native").rglob("*.[ch]pp")]
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert len(lengths) > len(MODULES)
    assert {path: length for path, length in lengths.items() if length > 410} == {}
