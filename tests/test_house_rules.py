"""Size, shape and start-up of the package: the rules of CONTRIBUTING.md, enforced."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import spatial_de

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "spatial_de").rglob("*.py"))
HEAVY = {"geopandas", "libpysal", "esda", "spreg", "mapclassify", "matplotlib", "formulaic", "shapely", "openpyxl"}
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(spatial_de.__path__, "spatial_de.") if "__main__" not in module.name
)


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(node):
    """Lines of code of a body, without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_have_one_job(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


def test_functions_are_short():
    sizes = [body_lines(node) for path in FILES for node in functions(ast.parse(path.read_text(encoding="utf-8")))]
    assert np.percentile(sizes, 90) <= 40
    assert max(sizes) <= 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_at_most_three_positional_parameters(path):
    for node in functions(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.arg for a in node.args.posonlyargs + node.args.args if a.arg not in {"self", "cls"}]
        assert len(names) <= 3, f"{node.name}({', '.join(names)})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = {alias.name for node in at_top if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in at_top if isinstance(node, ast.ImportFrom) and node.module}
    assert not {name.split(".")[0] for name in found} & HEAVY
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type is None]


@pytest.mark.parametrize("name", spatial_de.__all__)
def test_everything_public_is_documented(name):
    public = getattr(spatial_de, name)
    assert inspect.getdoc(public)
    members = (
        [getattr(public, n) for n in public.__all__]
        if inspect.ismodule(public) and hasattr(public, "__all__")
        else [public]
    )
    for member in members:
        if inspect.isfunction(member) or inspect.isclass(member):
            assert inspect.getdoc(member), member
            for label, method in inspect.getmembers(member, inspect.isfunction):
                if not label.startswith("_") and method.__module__.startswith("spatial_de"):
                    assert inspect.getdoc(method), f"{member.__name__}.{label}"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import spatial_de", HEAVY | {"pandas", "numpy", "scipy"}),
        ("import spatial_de.cli", HEAVY | {"pandas", "numpy", "scipy", "pydantic"}),
    ],
)
def test_importing_is_light(code, absent):
    script = f"{code}; import sys; print(' '.join(sorted({absent!r} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


def test_no_file_names_a_machine_or_a_download_address():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    names = [name for name in listed.split("\0") if name] or [str(path.relative_to(ROOT)) for path in FILES]
    addresses = re.compile(r"https?://[^\s]*(pypi|registry|mirror|proxy)|(?<![A-Za-z0-9._-])/(work|home|root)/[a-z]")
    own = Path(__file__).name
    for name in names:
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".cfg", ".json", ".csv", ".yml", ""}
            and path.is_file()
            and path.name != own
        ):
            found = addresses.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert found is None, f"{name}: {found.group(0)}"
