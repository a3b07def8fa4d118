"""The laws of the house, by test: where things are, what they import, how long they are."""

from __future__ import annotations

import ast
import importlib
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rtspkit"
TESTS = ROOT / "tests"

RANKS = {  # a module imports from its own folder and from lower ranks; a new folder is a decision
    "errors": 0,
    "options": 0,
    "version": 0,
    "wire": 1,
    "payload": 2,
    "engine": 3,
    "net": 4,
    "client": 5,
    "__init__": 6,  # the front page
    "media": 7,
    "telemetry": 7,
    "fleet": 7,
    "testing": 7,
    "compat": 7,
    "cli": 8,
    "__main__": 9,
}
WITHOUT_IO = ("errors", "options", "version", "wire", "payload", "engine")
IO = {
    *("asyncio", "socket", "ssl", "select", "selectors", "time", "random", "secrets", "logging"),
    *("os", "io", "pathlib", "subprocess", "threading", "multiprocessing", "concurrent", "signal"),
    *("http", "tempfile", "shutil", "uvloop"),
}
OPTIONAL = {"uvloop", "av", "rich", "numpy", "dpkt"}
RE_EXPORTING = {
    *("__init__.py", "payload/__init__.py", "testing/__init__.py", "cli/__init__.py"),
    *("compat/aiortsp/__init__.py", "compat/aiortsp/transport/__init__.py"),
}
FILE_LINES = 400
FUNCTION_LINES = 60  # without its docstring

FRONT_PAGE = [
    "AccessUnit",
    "ConnectError",
    "ConnectionLost",
    "ConnectionPool",
    "DeadlineExceeded",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "MalformedPacket",
    "MissingExtra",
    "NotFound",
    "Racing",
    "RemoteProtocolError",
    "ResponseError",
    "Retry",
    "RtpPacket",
    "RtspError",
    "Session",
    "SessionDescription",
    "SessionNotFound",
    "SessionStats",
    "Stream",
    "StreamNotFound",
    "StreamStats",
    "TLS",
    "Timeouts",
    "TooManySessions",
    "Unauthorized",
    "UnsupportedPayload",
    "UnsupportedTransport",
    "__version__",
    "connect",
    "probe",
    "run",
]

FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]
TREES = {name: ast.parse(path.read_text()) for name, path in zip(NAMES, FILES, strict=True)}
LAYER_INITS = [n for n in NAMES if n.endswith("__init__.py") and n not in RE_EXPORTING]
MODULES = [n for n in NAMES if not n.endswith(("__init__.py", "__main__.py"))]


def folder(name: str) -> str:
    """``wire`` of ``wire/rtp.py``; ``errors`` of ``errors.py``."""
    return name.partition("/")[0].removesuffix(".py")


def imported(node: ast.AST) -> list[str]:
    """The modules that one import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [node.module or ""]
    return []


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Every import of a file, inside functions too."""
    for node in ast.walk(TREES[name]):
        for module in imported(node):
            yield module, getattr(node, "lineno", 0)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def top_level_roots(name: str) -> set[str]:
    """The packages that a file needs to be imported at all."""
    inside = {id(node) for function in functions(TREES[name]) for node in ast.walk(function)}
    nodes = (node for node in ast.walk(TREES[name]) if id(node) not in inside)
    return {module.partition(".")[0] for node in nodes for module in imported(node)}


NEEDS_OPTIONAL = {name for name in NAMES if top_level_roots(name) & OPTIONAL}


def module_name(name: str) -> str:
    dotted = "rtspkit." + name.removesuffix(".py").replace("/", ".")
    return dotted.removesuffix(".__init__")


def exported(name: str) -> list[str] | None:
    """The literal value of ``__all__``; None without one."""
    for node in TREES[name].body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return ast.literal_eval(node.value)
    return None


def in_order(names: list[str]) -> list[str]:
    """Constants, classes, the rest; each by the alphabet, and L8 before L16."""

    def key(name: str) -> tuple[int, list[str | int]]:
        kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
        parts = re.split(r"(\d+)", name)
        return kind, [int(part) if part.isdigit() else part for part in parts]

    return sorted(names, key=key)


# -- imports


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name):
    own = folder(name)
    assert own in RANKS, f"a new folder needs a decision: {own}"
    for module, line in imports(name):
        if module.partition(".")[0] != "rtspkit":
            continue
        target = [*module.split("."), "__init__"][1]
        below = RANKS[target] < RANKS[own]
        assert below or target == own, f"{name}:{line} imports {module}"


@pytest.mark.parametrize("name", [n for n in NAMES if folder(n) in WITHOUT_IO])
def test_the_core_imports_no_io_clock_or_chance(name):
    for module, line in imports(name):
        assert module.partition(".")[0] not in IO, f"{name}:{line} imports {module}"


@pytest.mark.parametrize("name", NAMES)
def test_imports_inside_functions_are_of_optional_dependencies(name):
    """Or of a module of ours that cannot be imported without one."""
    optional = OPTIONAL | {module_name(other) for other in NEEDS_OPTIONAL}
    for function in functions(TREES[name]):
        for node in ast.walk(function):
            for module in imported(node):
                allowed = module in optional or module.partition(".")[0] in OPTIONAL
                assert allowed, f"{name}:{node.lineno} imports {module} in {function.name}"


def test_what_needs_an_optional_dependency_is_not_imported_at_once():
    needing = {module_name(name) for name in NEEDS_OPTIONAL}
    for name in NAMES:
        inside = {id(n) for function in functions(TREES[name]) for n in ast.walk(function)}
        for node in ast.walk(TREES[name]):
            if id(node) not in inside:
                assert not needing.intersection(imported(node)), name


# -- shape


@pytest.mark.parametrize("name", NAMES)
def test_files_and_functions_are_short(name):
    lines = len((PACKAGE / name).read_text().splitlines())
    assert lines <= FILE_LINES, f"{name} has {lines} lines: a noun is missing"
    for function in functions(TREES[name]):
        size = (function.end_lineno or 0) - function.lineno + 1
        if ast.get_docstring(function) is not None:
            docstring = function.body[0]
            size -= (docstring.end_lineno or 0) - docstring.lineno + 1
        assert size <= FUNCTION_LINES, f"{name}: {function.name} has {size} lines"


@pytest.mark.parametrize("name", NAMES)
def test_each_file_opens_with_a_docstring(name):
    docstring = ast.get_docstring(TREES[name])
    assert docstring, name
    if name != "errors.py":  # which prints its tree there
        assert len(docstring.splitlines()) <= 30


@pytest.mark.parametrize("name", MODULES)
def test_each_module_says_in_order_what_it_offers(name):
    names = exported(name)
    assert names is not None, name
    assert names == in_order(names)
    assert len(set(names)) == len(names)
    module = None if name in NEEDS_OPTIONAL else importlib.import_module(module_name(name))
    for each in names:
        assert module is None or hasattr(module, each), f"{name} has no {each}"


@pytest.mark.parametrize("name", LAYER_INITS)
def test_a_layer_begins_with_a_docstring_and_nothing_else(name):
    assert len(TREES[name].body) == 1


@pytest.mark.parametrize("name", sorted(RE_EXPORTING & set(NAMES)))
def test_a_chosen_front_holds_imports_and_names_in_order(name):
    docstring, *rest = TREES[name].body
    assert isinstance(docstring, ast.Expr)
    if name != "__init__.py":  # the front page imports its names when they are first used
        for node in rest:
            assert isinstance(node, ast.ImportFrom | ast.Assign), name
    names = exported(name)
    assert names == in_order(names)
    module = importlib.import_module(module_name(name))
    for each in names:
        assert getattr(module, each) is not None


def test_the_front_page_is_the_chosen_sum():
    assert exported("__init__.py") == in_order(FRONT_PAGE)


# -- tests


@pytest.mark.parametrize("name", [*MODULES, "__main__.py"])
def test_each_module_has_its_test_file(name):
    path = Path(name)
    assert (TESTS / path.parent / f"test_{path.name}").is_file()


def test_warnings_are_errors():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
    assert "--strict-markers" in options["addopts"]


# -- what importing costs


def child(code: str, cache: Path) -> tuple[str, float]:
    """Run Python; gives its output and the CPU seconds it took, user and system."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(cache), "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, sum(after[:2]) - sum(before[:2])


def test_importing_brings_in_nothing_optional(tmp_path):
    code = f"import sys, rtspkit; print(sorted({OPTIONAL!r} & set(sys.modules)))"
    assert child(code, tmp_path)[0].strip() == "[]"


def test_importing_is_quick(tmp_path):
    """CPU beyond what asyncio takes by itself; the figure is under 0.1 s, the bound is for CI."""
    child("import rtspkit", tmp_path)  # compiles
    ours = min(child("import rtspkit", tmp_path)[1] for _ in range(5))
    asyncios = min(child("import asyncio", tmp_path)[1] for _ in range(5))
    assert ours - asyncios < 0.15


def test_the_front_page_needs_no_checkout_around_it(tmp_path):
    assert child("import rtspkit; print(rtspkit.__version__)", tmp_path)[0].strip()
