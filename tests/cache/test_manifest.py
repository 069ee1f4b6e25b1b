"""Manifests as a family: which are heads, which are whole, and what loading needs; tables worked by hand."""

from cliplib.cache import manifest


def body(ident, parents=(), parts=(), created_ns=0):
    entries = [{"name": name, "size": 10} for name in parts]
    return {"id": ident, "parents": list(parents), "parts": entries, "created_ns": created_ns}


def family(*bodies):
    return {one["id"]: one for one in bodies}


def test_heads_are_those_that_are_no_parents():
    bodies = family(body("a"), body("b", "a"), body("c", "a"))
    assert sorted(manifest.heads(bodies)) == ["b", "c"]
    assert manifest.heads(family(*bodies.values(), body("d", "bc"))) == ["d"]


def test_one_is_whole_where_all_its_files_have_their_size():
    one = body("a", parts=["p1", "p2"])
    assert manifest.is_complete(one, {"p1": 10, "p2": 10, "p3": 5})
    assert not manifest.is_complete(one, {"p1": 10, "p2": 9})
    assert not manifest.is_complete(one, {"p1": 10})


def test_one_that_is_not_whole_counts_only_while_it_is_the_newest():
    old, new = body("old", parts=["gone"], created_ns=1), body("new", parts=["p"], created_ns=2)
    late = body("late", parts=["coming"], created_ns=3)
    assert set(manifest.loadable(family(old, new, late), {"p": 10})) == {"new", "late"}


def test_of_one_that_is_not_whole_the_generation_before_is_needed():
    bodies = family(body("a", parts=["p"], created_ns=1), body("b", "a", ["coming"], created_ns=2))
    assert manifest.needed_to_load(bodies, {"p": 10}) == {"a", "b"}
    assert manifest.needed_to_load(bodies, {"p": 10, "coming": 10}) == {"b"}


def test_a_file_says_what_was_written_or_nothing(tmp_path):
    made = manifest.new({"model_id": "0"}, {"x"}, [], {}, set(), {})
    file = tmp_path / manifest.file_name(made)
    file.write_bytes(manifest.to_bytes(made))
    assert manifest.read(file) == made and manifest.files(tmp_path) == [file]
    file.write_bytes(manifest.to_bytes(made).replace(b'"x"', b'"y"'))
    assert manifest.read(file) is None
