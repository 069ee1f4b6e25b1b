"""The house rules: which module may import which, and what importing the package costs."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cliplib"
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))

# What a room (a package, or a module beside them) may import when it is itself imported, besides `errors`,
# `version`, `places` and `deprecation`, which all may. From the ground up: a room imports only rooms that stand before
# it here.
MAY_IMPORT = {
    "errors": set(),
    "version": set(),
    "places": set(),
    "deprecation": set(),
    "media": set(),
    "models": set(),
    "cache": {"media"},
    "index": {"media", "models", "cache"},
    "search": {"media", "models", "cache"},
    "display": {"index", "search"},
    "export": {"media", "search", "display"},
    "calibrate": {"search", "cache", "export"},
    "library": {"models", "cache", "index", "search", "export", "calibrate"},
    "drive": {"media", "cache"},
    "cluster": {"media", "models", "cache", "index", "search", "library"},
    "lab": {"calibrate"},
    "widgets": {"library", "calibrate", "display", "search", "media"},
    "lessons": {"library", "search", "export", "widgets", "drive", "models", "media"},
}
# What a function may import when it is called, besides: an answer is only drawn, or written to a file, where somebody
# asks for that. These are the only circles.
MAY_IMPORT_LATE = {"index": {"display"}, "search": {"display", "export"}}
# The front doors may open any room: `__init__` loads its names lazily, `__main__` is the command line.
DOORS = {"__init__", "__main__"}


# Each module has its tests in the file of its name, `cache/rows` in tests/cache/test_rows.py; these are tested through
# the module that they serve, in the file of that.
TESTED_IN = {
    "cache/durable": "cache/test_mounts.py",
    "cache/flat": "search/test_blocks.py",
    "cache/merging": "cache/test_store.py",
    "calibrate/cutoffs": "calibrate/test_profiles.py",
    "calibrate/judgements_csv": "calibrate/test_judgements.py",
    "display/style": "display/test_themes.py",
    "index/known_content": "index/test_update.py",
    "index/plan": "index/test_update.py",
    "lab": "calibrate/test_lab.py",
    "media/completeness": "media/test_photo.py",
    "media/container": "media/test_video.py",
    "media/libtiff": "index/test_update.py",
    "media/versions": "index/test_update.py",
    "models/config": "models/test_openclip.py",
    "models/fetch": "models/test_weights.py",
    "models/skip_init": "models/test_towers.py",
    "search/duplicates": "search/test_scores.py",
    "search/filters": "search/test_scores.py",
    "search/footage": "media/test_clip.py",
    "search/ordering": "search/test_scores.py",
    **{f"widgets/{name}": "widgets/test_plain.py" for name in ("box", "controls", "grid", "inputs", "layout")},
    "widgets/explorer": "widgets/test_labelling.py",
    "widgets/export_panel": "widgets/test_plain.py",
    "widgets/invitations": "widgets/test_server.py",
    "version": "test_main.py",
}


class ImportsOfCliplib(ast.NodeVisitor):
    """Collects the cliplib modules that the module `home`, such as "cache/rows", imports: `early` as it is imported
    itself or for its types alone, `late` in functions. Each is a path like `home`."""

    def __init__(self, home):
        self.folder = home.split("/")[:-1]
        self.early, self.late, self.depth = set(), set(), 0

    def visit_FunctionDef(self, node):
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_Import(self, node):
        for alias in node.names:
            self.note(alias.name.split("."))

    def visit_ImportFrom(self, node):
        base = ["cliplib", *self.folder[: len(self.folder) - node.level + 1]] if node.level else []
        for alias in node.names:
            self.note([*base, *(node.module.split(".") if node.module else []), alias.name])

    def note(self, dotted):
        if dotted[0] == "cliplib":
            module = next((end for end in ("/".join(dotted[1:n]) for n in (3, 2)) if end in MODULES), None)
            package = f"{dotted[1]}/__init__" if len(dotted) > 1 else ""
            module = module or (package if package in MODULES else "__init__")
            (self.late if self.depth else self.early).add(module)


def imports_of(module, source=None):
    """The cliplib modules that one imports: (early, late)."""
    found = ImportsOfCliplib(module)
    found.visit(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8") if source is None else source))
    return found.early, found.late


def room(module):
    return module.split("/")[0]


def test_the_walk_sees_every_form_of_import():
    early, late = imports_of(
        "search/scores",
        "from .. import errors\nfrom ..media.files import find_media\nimport cliplib.cache.store\n"
        "from cliplib import text\nfrom . import ranking, moments\nfrom .query import text\nfrom .. import widgets\n"
        "if TYPE_CHECKING:\n    from ..index.update import update\n"
        "def show():\n    from ..display.html import gallery\n",
    )
    inside = {"search/ranking", "search/moments", "search/query"}
    assert early == inside | {"errors", "media/files", "cache/store", "__init__", "widgets/__init__", "index/update"}
    assert late == {"display/html"}


@pytest.mark.parametrize("module", [module for module in MODULES if module not in DOORS])
def test_imports_point_one_way(module):
    here = room(module)
    assert here in MAY_IMPORT, f"cliplib/{here} is new: say in MAY_IMPORT what it may import"
    early, late = ({room(other) for other in found} for found in imports_of(module))
    allowed = MAY_IMPORT[here] | {"errors", "version", "places", "deprecation", here}
    assert early <= allowed, f"cliplib/{module}.py imports {sorted(early - allowed)}; it may import {sorted(allowed)}"
    allowed |= MAY_IMPORT_LATE.get(here, set())
    assert late <= allowed, (
        f"cliplib/{module}.py imports {sorted(late - allowed)} in a function; may: {sorted(allowed)}"
    )


def test_the_rooms_stand_on_one_another():
    for place, (here, needs) in enumerate(MAY_IMPORT.items()):
        assert needs <= set(list(MAY_IMPORT)[:place]), f"{here} needs a room that stands after it"


def test_no_two_modules_import_one_another():
    needs = {}
    for module in set(MODULES) - DOORS:
        early, late = imports_of(module)
        drawn = MAY_IMPORT_LATE.get(room(module), set())
        needs[module] = (early | {other for other in late if room(other) not in drawn}) - {module}
    standing = set()
    while len(standing) < len(needs):
        ready = {module for module in set(needs) - standing if needs[module] <= standing}
        assert ready, f"these modules import one another in a circle: {sorted(set(needs) - standing)}"
        standing |= ready


def test_there_is_no_room_for_odds_and_ends():
    odd = {"utils", "util", "helpers", "common", "misc"} & {part for module in MODULES for part in module.split("/")}
    assert not odd, f"{sorted(odd)}: put each function in the module whose purpose it serves"


def test_importing_cliplib_loads_nothing_heavy():
    heavy = ("torch", "cv2", "ipywidgets", "pandas")
    code = f"import sys, cliplib; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", [module for module in MODULES if not module.endswith("__init__")])
def test_each_module_has_its_test_file(module):
    folder, _, name = module.rpartition("/")
    own = f"{folder}/test_{name.strip('_')}.py".lstrip("/")
    tests = PACKAGE.parent / "tests"
    assert (module in TESTED_IN) != (tests / own).is_file(), (
        f"test cliplib/{module}.py in tests/{own} or say in TESTED_IN"
    )
    assert (tests / TESTED_IN.get(module, own)).is_file()


@pytest.mark.parametrize("tour", [PACKAGE / "__init__.py", *sorted(PACKAGE.glob("*/__init__.py"))], ids=str)
def test_the_tour_of_a_room_names_all_that_is_in_it(tour):
    text = ast.get_docstring(ast.parse(tour.read_text(encoding="utf-8")))
    named = {word.split(".")[0] for word in re.findall(r"`([a-z_]+)(?:\.[\w.]+)?`", text)}
    here = {path.stem for path in tour.parent.glob("*.py")} | {path.parent.name for path in tour.parent.glob("*/*.py")}
    assert here - {"__init__", "__main__"} <= named


def imported_at(root):
    """Every absolute import of tests, data and notebooks below a folder: (file, dotted module)."""
    files = [path for folder in ("tests", "data") for path in (root / folder).rglob("*.py")]
    sources = [(path, path.read_text(encoding="utf-8")) for path in files]
    for path in (root / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        sources += [(path, re.sub(r"^( *)[!%].*", r"\1pass", source, flags=re.M)) for source in code]
    for path, source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield path, node.module


def test_tests_data_and_notebooks_import_modules_that_are_there():
    """Late imports too, which no collection of tests would notice; a script may import its neighbours."""
    root, lost = PACKAGE.parent, []
    for path, module in imported_at(root):
        if module.split(".")[0] in ("cliplib", "data", "tests"):
            place = root / module.replace(".", "/")
            found = place.with_suffix(".py").is_file() or place.is_dir()
        else:
            found = (path.parent / f"{module}.py").is_file() or importlib.util.find_spec(module.split(".")[0])
        if not found:
            lost.append(f"{path.relative_to(root)} imports {module}")
    assert lost == []
