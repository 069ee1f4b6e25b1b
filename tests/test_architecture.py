"""The house rules: which module may import which, how long one may be, and what importing the package costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cliplib"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
MAX_LINES = 250

# What a module may import when it is itself imported, besides `errors`, which all may. The table has no circle.
MAY_IMPORT = {
    "errors": set(),
    "search": set(),
    "moments": {"search"},
    "results": {"moments"},
    "report": set(),
    # Google Drive: `drive` mounts, checks and flushes, `staging` copies in bulk, `mounts` knows what is confirmed
    "mounts": set(),
    "staging": {"durable", "files", "manifest", "mounts", "retention", "zips"},
    "drive": {"files", "mounts", "staging"},
    # media files: `files` walks and reads, `media` opens photos, `video` opens videos with its `decoder`, large ones as
    # `patient` reads them; `zips` reads members of archives, `exif` what a camera wrote, `takeout` names and JSON,
    # `companions` ties them
    "zips": set(),
    "exif": set(),
    "takeout": set(),
    "files": {"zips"},
    "media": {"files", "exif"},
    "decoder": set(),
    "patient": {"files"},
    "video": {"decoder", "patient"},
    "companions": {"files", "rows", "takeout", "video"},
    # models: `fetch` and `openclip` find files, `checkpoint` reads tensors, `weights` names them, `towers` are built
    # of them, `encoder` runs these
    "fetch": set(),
    "openclip": set(),
    "checkpoint": set(),
    "weights": {"checkpoint", "fetch", "openclip"},
    "towers": set(),
    "encoder": {"weights", "towers"},
    # the cache: `store` keeps `rows` in parts named by a `manifest`, `thumbs` beside them, and `fold` reads them again;
    # a `snapshot` is one file
    "rows": set(),
    "manifest": {"files"},
    "thumbs": set(),
    "durable": set(),
    "snapshot": {"durable", "rows"},
    "retention": {"manifest", "mounts"},
    "fold": {"files", "manifest", "retention", "rows"},
    "store": {"durable", "files", "fold", "manifest", "mounts", "retention", "rows", "thumbs"},
    "pack": {"durable", "files", "media", "rows", "snapshot", "zips"},  # the class pack: a whole library in one zip
    # from files to an index: `pipeline` prepares what `index` encodes and stores
    "journal": set(),
    "presence": set(),
    "plan": {"files", "store", "zips"},
    "pipeline": {"files", "media", "patient", "video", "companions", "journal"},
    "index": {
        *("journal", "files", "companions", "pipeline", "plan", "encoder", "store", "rows", "report"),
        *("mounts", "presence"),
    },
    # before the run and beside it: `estimate` tries how long it will take, `background` lets it go on in a thread
    "estimate": {"companions", "files", "pipeline", "plan", "store"},
    "background": {"index", "report", "store"},
    # a moment on the screen: `clips` cuts it, `footage` finds its true edges and keeps what was cut
    "clips": {"video"},
    "footage": {"clips", "moments", "search", "video"},
    # from a query to its scores: `asking` turns a `query` into a vector and `scores` takes `results` from its cosines
    "query": set(),
    "scores": {"takeout", "results", "moments", "search", "rows"},
    "asking": {"query", "scores", "results", "search", "footage", "media", "rows"},
    "originals": {"files"},
    "doctor": {"files", "manifest", "store"},
    # the threshold lab: `judgements` are what people said, `pooling` their CSV, `calibrate` has
    # the rules, `evaluation` tests them, `profiles` are what a library then uses; `lab` brings them together
    "judgements": {"durable", "pooling"},
    "pooling": {"results"},
    "calibrate": {"search"},
    "evaluation": {"calibrate"},
    "profiles": {"durable"},
    "lab": {"library", "judgements", "calibrate", "evaluation", "profiles", "query", "durable"},
    "labelling": {"library", "display", "gallery", "results", "moments", "style", "lab"},
    "explorer": {"library", "display", "results", "style", "lab", "calibrate", "evaluation"},
    # for lessons
    "explain": set(),
    "compare": {"library"},
    "style": set(),
    # what is seen: `display` draws results in one `style`; each of the `widgets` is a `box` with
    # `entries` to ask with, `controls` over its scores, a `gallery` of tiles, and `keeping` to take results out
    "display": {"report", "results", "moments", "scores", "style"},
    "entries": {"media", "query"},
    "controls": {"results", "scores"},
    "gallery": {"display", "results"},
    "keeping": {"display", "gallery", "results"},
    # it hands Library.index its events, and reads the parts that a store has written
    "cluster": {
        *("encoder", "files", "journal", "manifest", "pipeline", "report", "results", "rows"),
        *("scores", "search", "store", "thumbs"),
    },
    "box": {"library", "display", "results", "scores", "moments", "entries", "controls", "gallery", "keeping", "style"},
    "widgets": {"library", "box", "entries"},
    "selftest": {"fetch", "encoder", "media", "search"},
    "__init__": set(),
}
SEEN = {
    "style",
    "display",
    "entries",
    "controls",
    "gallery",
    "keeping",
    "box",
    "widgets",
    "lab",
    "labelling",
    "explorer",
}
MAY_IMPORT["library"] = set(MAY_IMPORT) - SEEN - {"cluster", "compare", "explain", "selftest", "__init__"}
# What a function may import when it is called, besides: a picture is only drawn where a notebook asks for one.
MAY_IMPORT_LATE = {"report": {"display"}, "results": {"display"}, "moments": {"display"}, "scores": {"display"}}
# The front doors may open any room: late (`__init__` loads its names lazily) or at once (`__main__`, the command line).
DOORS_LATE, DOORS = {"__init__"}, {"__main__"}


class ImportsOfCliplib(ast.NodeVisitor):
    """Collects the cliplib modules that a source imports: `early` as it is imported itself, `late` in functions."""

    def __init__(self):
        self.early, self.late, self.depth = set(), set(), 0

    def visit_FunctionDef(self, node):
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_If(self, node):
        if "TYPE_CHECKING" not in ast.dump(node.test):  # imports for annotations alone never run
            self.generic_visit(node)

    def visit_Import(self, node):
        for alias in node.names:
            self.note(alias.name.split("."))

    def visit_ImportFrom(self, node):
        base = (["cliplib"] if node.level else []) + (node.module.split(".") if node.module else [])
        for alias in node.names:
            self.note([*base, alias.name])

    def note(self, dotted):
        if dotted[0] == "cliplib" and len(dotted) > 1:
            module = dotted[1] if dotted[1] in {*MODULES, *MAY_IMPORT} else "__init__"
            (self.late if self.depth else self.early).add(module)


def imports_of(source):
    """The cliplib modules that `source` imports: (early, late)."""
    found = ImportsOfCliplib()
    found.visit(ast.parse(source))
    return found.early, found.late


def test_the_walk_sees_every_form_of_import():
    early, late = imports_of(
        "from . import errors\nfrom .media import find\nimport cliplib.store\nfrom cliplib import text\n"
        "if TYPE_CHECKING:\n    from .index import Index\n"
        "def show():\n    from .display import gallery\n"
    )
    assert early == {"errors", "media", "store", "__init__"}
    assert late == {"display"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    early, late = imports_of((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    if module in DOORS:
        return
    assert module in MAY_IMPORT, f"cliplib/{module}.py is new here: say in MAY_IMPORT what it may import"
    allowed = MAY_IMPORT[module] | {"errors"}
    assert early <= allowed, f"cliplib/{module}.py imports {sorted(early - allowed)}; it may import {sorted(allowed)}"
    if module not in DOORS_LATE:
        allowed = allowed | MAY_IMPORT_LATE.get(module, set())
        assert late <= allowed, (
            f"cliplib/{module}.py imports {sorted(late - allowed)} in a function; may: {sorted(allowed)}"
        )


def test_the_table_has_no_circle():
    standing = set()
    while len(standing) < len(MAY_IMPORT):
        ready = {module for module, needs in MAY_IMPORT.items() if module not in standing and needs <= standing}
        assert ready, f"these modules import one another in a circle: {sorted(set(MAY_IMPORT) - standing)}"
        standing |= ready


def test_there_is_no_room_for_odds_and_ends():
    odd = {"utils", "util", "helpers", "common", "misc"} & set(MODULES)
    assert not odd, f"{sorted(odd)}: put each function in the module whose purpose it serves"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_too_long_to_read(module):
    lines = len((PACKAGE / f"{module}.py").read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"cliplib/{module}.py has {lines} lines, more than {MAX_LINES}: split it by purpose"


def test_importing_cliplib_loads_nothing_heavy():
    heavy = ("torch", "cv2", "ipywidgets", "pandas")
    code = f"import sys, cliplib; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    assert done.stdout.split() == []
