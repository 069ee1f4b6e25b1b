"""Each make target stands alone: in a fresh clone it installs all that the programs which it starts import."""

import ast
import functools
import importlib.metadata
import re
import sys

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPO

tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")

START = re.compile(r"\$\(BIN\)/(?:python(?: -m (?P<module>[\w.]+)| (?P<script>[\w/.-]+\.py))|(?P<program>\w+))")
SETUP = re.compile(r"\.ci/setup\.py ([\w ]+)")


def targets(makefile: str) -> dict[str, tuple[set[str], list[str]]]:
    """Of each target the groups that it installs, those of its prerequisites too, and what it starts."""
    rules = re.findall(r"^([a-z-]+): ?([a-z ]*)##[^\n]*\n((?:\t[^\n]*\n)+)", makefile, re.M)
    recipes = {name: recipe for name, _, recipe in rules}
    found = {}
    for name, before, recipe in rules:
        installing = "".join(recipes[other] for other in [*before.split(), name])
        groups = {group for words in SETUP.findall(installing) for group in words.split()}
        found[name] = groups, [start[start.lastgroup] for start in START.finditer(recipe)]
    return found


@functools.cache
def distributions(groups: frozenset[str]) -> set[str]:
    """The distributions that an installation with these groups brings, by what pyproject.toml says now."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *(need for group in groups - {"run"} for need in project["optional-dependencies"][group]),
    ]
    waiting = [("clip", ""), ("clip-anytorch", "")]
    for need in map(Requirement, asked):
        waiting += [(plain(need.name), each) for each in ("", *need.extras)]
    found: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # for another platform
            continue
        for need in map(Requirement, needs):
            if not need.marker or need.marker.evaluate({"extra": extra}):
                waiting += [(plain(need.name), each) for each in ("", *need.extras)]
    return {name for name, _ in found} | {"pip", "setuptools"}


packages = functools.cache(importlib.metadata.packages_distributions)


def plain(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imports(file, repo, seen: set) -> set[str]:
    """The top names of all modules that a program imports, at once or later, through modules of the repo.

    Of cliplib only what is imported at once: what it imports later is optional, and says so where it is wanting.
    """
    if file in seen:
        return set()
    seen.add(file)
    found: set[str] = set()
    late = file.is_relative_to(repo / "cliplib")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if late else ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(file.relative_to(repo).parts[: -node.level]) if node.level else ""
            module = f"{base}.{node.module or ''}".strip(".")
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            local = [folder / name.replace(".", "/") for folder in (repo, file.parent)]
            local = [place for path in local for place in (path.with_suffix(".py"), path / "__init__.py")]
            here = [place for place in local if place.is_file()]
            found |= imports(here[0], repo, seen) if here else {name.split(".")[0]}
    own = {"cliplib", "data", "tests", *(path.stem for path in (repo / ".ci").glob("*.py"))}
    return found - set(sys.stdlib_module_names) - own


def missing(started: str, groups: set[str], repo) -> set[str]:
    """What a program needs that these groups do not bring."""
    there, of = distributions(frozenset(groups)), packages()
    file = repo / (started if started.endswith(".py") else started.replace(".", "/") + ".py")
    names = imports(file, repo, set()) if file.is_file() else {started.split(".")[0]} - {"cliplib"}
    names = {"jupyterlab" if name == "jupyter" else name for name in names}
    return {name for name in names if not {plain(each) for each in of.get(name, [name])} & there}


def test_the_makefile_is_read_whole(repo):
    found = targets((repo / "Makefile").read_text())
    assert {"setup", "demo", "test", "lint", "lab", "evaluate", "torture", "phone", "bench"} <= set(found)
    assert found["torture"] == ({"test"}, ["tests.harness.torture"]) and "ruff" in found["lint"][1]


def test_a_package_that_is_wanting_is_seen(repo):
    assert "pytest" in missing("tests.harness.torture", {"run"}, repo)
    assert missing("tests.harness.screens", {"run"}, repo) >= {"playwright"}


def test_each_target_installs_what_it_starts(repo):
    found = targets((repo / "Makefile").read_text())
    wanting = {name: {one: missing(one, groups, repo) for one in started} for name, (groups, started) in found.items()}
    assert not {name: gaps for name, gaps in wanting.items() if any(gaps.values())}
