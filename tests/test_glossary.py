"""One word, one meaning: README's glossary, and the names of cliplib that keep to it.

A word of the glossary is used in names only in the rooms where it has its one meaning; some words are used in none.
"""

import ast
import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
# Of each word the rooms, or modules, whose names may have it; those that make or hand on what it means.
ROOMS = {
    "bank": {"search", "library", "export", "lessons"},
    "fold": {"calibrate/evaluation"},
    "gallery": {"search"},
    "pack": {"cache/pack", "library"},
    "profile": {"calibrate", "cache/pack", "cache/snapshot", "library"},
    "sidecar": {"index", "media", "cluster"},
    "snapshot": {"cache/snapshot"},
    "weight": {"models", "calibrate"},
}
REFUSED = {  # what was in use once, and what it is called now
    "arithmetic": "cpu_kernels",
    "asked": "query",
    "banner": "warning",
    "companion": "sidecar",
    "doctor": "check",
    "folded": "near_duplicates",
    "foreign": "imported",
    "outlook": "durability",
    "pooling": "judgements_csv",
    "presence": "active_writers",
    "shot": "frame",
    "stranger": "describe_unknown",
}


def words_of(name: str) -> set[str]:
    """The words of a name such as `scores_of_kinds`, `RowKind` or `MOST_BYTES`, in the singular."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower() if word.lower().endswith("ss") else word.lower().removesuffix("s") for word in words}


def names_in(source: str):
    """Yields (line, name) of all functions, classes, parameters and attributes that a module defines.

    Old names, kept with a `deprecation` helper, are none.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        if isinstance(node, ast.ClassDef | ast.Module):  # fields and constants
            for line in node.body:
                new = not (isinstance(line, ast.Assign) and "renamed" in ast.unparse(line.value))
                targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
                yield from ((line.lineno, one.id) for one in targets if new and isinstance(one, ast.Name))


def misused(module: str, source: str) -> list[str]:
    """What the names of a module, such as "cache/rows", use against the tables above, in words."""
    found = []
    for line, name in [(1, module.rpartition("/")[2]), *names_in(source)]:
        for word in words_of(name):
            if word in REFUSED:
                found.append(f"cliplib/{module}.py:{line}: {name}: say {REFUSED[word]}")
            elif word in ROOMS and not {module, module.split("/")[0]} & ROOMS[word]:
                found.append(f"cliplib/{module}.py:{line}: {name}: in names {word!r} is for {sorted(ROOMS[word])}")
    return found


@pytest.mark.parametrize(
    ("module", "source", "count"),
    [
        ("search/engine", "def gallery(rows): ...", 0),
        ("widgets/grid", "class Gallery: ...", 1),
        ("media/photo", "def load(path, old_weights): self.weights = 1", 2),
        ("widgets/shots", "", 1),
        ("search/results", "class Hit:\n    banner: str\n    fold = renamed_attribute('Hit.fold', 'x')", 1),
    ],
)
def test_a_word_in_the_wrong_room_is_seen(module, source, count):
    assert len(misused(module, source)) == count


def test_names_keep_to_the_glossary():
    package = REPO / "cliplib"
    modules = {path.relative_to(package).with_suffix("").as_posix(): path for path in package.rglob("*.py")}
    found = [word for module, path in modules.items() for word in misused(module, path.read_text(encoding="utf-8"))]
    assert found == [], "\n".join(found)


def test_the_glossary_has_each_word_once():
    text = (REPO / "README.md").read_text(encoding="utf-8").split("### Words\n")[1].split("\n#")[0]
    terms = [word for row in re.findall(r"^\| ([^|]+) \|", text, re.M)[2:] for word in row.split(", ")]
    assert len(terms) == len(set(terms)) > 15
    assert set(ROOMS) <= {next(iter(words_of(term))) for term in terms}
