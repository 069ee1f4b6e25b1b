"""Pickles that try to run code or to take all memory. What they would run only touches a file, the canary."""

import builtins
import codecs
import collections
import functools
import importlib
import io
import operator
import os
import pickle
import runpy
import shutil
import struct
import subprocess
import timeit
from pathlib import Path


class Calls:
    """Unpickling this would call `function(*arguments)`, and with `state` set that on what came of it."""

    def __init__(self, function, *arguments, state=None):
        self.how = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.how


def _text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def _call(module: str, name: str, *arguments: bytes, mark: bytes = b"\x80\x04") -> bytes:
    """Opcodes that call `module.name` with arguments that are opcodes themselves."""
    return mark + _text(module) + _text(name) + b"\x93(" + b"".join(arguments) + b"tR."


def code(canary: Path):
    """Ways to run code: name and pickle."""
    path, shell, python = str(canary), f"touch '{canary}'", f"open({str(canary)!r}, 'w')"
    yield from ((f"open-protocol-{p}", pickle.dumps(Calls(open, path, "w"), protocol=p)) for p in range(6))
    calls = {
        "os.system": Calls(os.system, shell),
        "subprocess": Calls(subprocess.call, ["touch", path]),
        "eval": Calls(eval, python),
        "exec": Calls(exec, python),
        "timeit": Calls(timeit.timeit, python, "pass", timeit.default_timer, 1),
        "import": Calls(importlib.import_module, "antigravity_of_cliplib"),
        "runpy": Calls(runpy.run_path, path),
        "shutil": Calls(shutil.copy, __file__, path),
        "path-touch": Calls(Path.touch, Path(path)),
        "partial": Calls(operator.call, functools.partial(open, path, "w"))
        if hasattr(operator, "call")
        else Calls(functools.reduce, open, [path, "w"]),
        "methodcaller": Calls(list, Calls(map, operator.methodcaller("touch"), [Path(path)])),
        "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
        "map": Calls(list, Calls(map, os.system, [shell])),
        "codecs": Calls(codecs.decode, pickle.dumps(Calls(open, path, "w")), "unicode_escape"),
        "loads-in-loads": Calls(pickle.loads, pickle.dumps(Calls(open, path, "w"))),
        "setattr": Calls(setattr, Calls(__import__, "builtins"), "canary", path),
        "ordered-dict-state": Calls(collections.OrderedDict, state={"x": Calls(open, path, "w")}),
        "a-dict-key": {Calls(open, path, "w"): 1},
        "in-a-list": [1, [2, Calls(open, path, "w")]],
        "exception": Calls(builtins.Exception, Calls(open, path, "w")),
    }
    yield from ((name, pickle.dumps(call, protocol=4)) for name, call in calls.items())
    sneaky = f"c__builtin__\nopen\n(S'{path}'\nS'w'\ntR.".encode()
    yield "global-text", sneaky
    yield "second-pickle", pickle.dumps({}, protocol=4) + sneaky
    yield "inst", f"(S'{path}'\nS'w'\ni__builtin__\nopen\n.".encode()
    yield "obj", f"(c__builtin__\nopen\nS'{path}'\nS'w'\no.".encode()
    yield "newobj", b"\x80\x04cio\nFileIO\n" + _text(path) + _text("w") + b"\x86\x81."
    yield "newobj-ex", b"\x80\x04cio\nFileIO\n" + _text(path) + _text("w") + b"\x86}\x92."
    yield "ext1", b"\x80\x02\x82\x01."
    yield "ext4", b"\x80\x02\x84\x01\0\0\0."
    yield "persistent", b"\x80\x04Pid\n."
    yield "binary-persistent", b"\x80\x04" + _text(path) + b"Q."
    yield "build", b"\x80\x04}}b."
    yield "stack-global", _call("os", "system", _text(shell))
    yield "dotted-global", _call("os", "path.os.system", _text(shell))
    yield "torch-load", _call("torch", "load", _text(path))
    yield "torch-storage-load", _call("torch.storage", "_load_from_bytes", b"C\x04evil")
    yield "torch-jit-bag", b"\x80\x02c__torch__.os\nsystem\n" + _text(shell) + b"\x85R."
    yield "torch-wrapper", _call("torch._utils", "_rebuild_wrapper_subclass", b"cos\nsystem\n" + _text(shell))
    yield "torch-from-type", _call("torch._tensor", "_rebuild_from_type_v2", b"cos\nsystem\ncos\nsystem\n)}")
    yield "numpy-object", _call("numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\nK\0\x85C\x01b")
    yield "pandas-read-pickle", _call("pandas", "read_pickle", _text(path))


def bombs():
    """Ways to take all memory or time with a few bytes, and plain rubbish: name and pickle."""
    yield "memo-bomb", b"\x80\x02]r" + struct.pack("<I", 2**31 - 1) + b"."
    yield "memo-bomb-in-text", b"]p2147483646\n."
    yield "bytearray-bomb", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."
    yield "bytearray-call", _call("builtins", "bytearray", b"\x8a\x05\0\0\0\0\x04")
    yield "bytes-bomb", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"."
    yield "text-bomb", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"."
    yield "frame-bomb", b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"."
    yield "number-bomb", b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"."
    yield "number-in-text", b"I" + b"9" * 1_000_000 + b"\n."
    yield "tensor-call", _call("torch", "FloatTensor", b"\x8a\x05\0\0\0\0\x04")
    yield "counter-call", _call("collections", "Counter", b"\x8a\x05\0\0\0\0\x04")
    storage = (
        b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + b"\x8a\x05\0\0\0\0\x01tQ"
    )
    yield "tensor-storage", _call("torch._utils", "_rebuild_tensor_v2", storage, b"K\0K\1\x85K\1\x85\x89}")
    yield "empty-lists", b"\x80\x04(" + b"]" * 20_000_000 + b"l."
    yield "deep", b"\x80\x04" + b"](" * 100_000 + b"e" * 100_000 + b"."
    yield "deep-tuples", b"\x80\x04)" + b"\x85" * 1_000_000 + b"."
    laughs = b"\x80\x04]\x94" + b"".join(b"](" + b"h" + bytes([i]) * 10 + b"e\x94" for i in range(1))
    yield "laughs", laughs + b"".join(b"](" + (b"h" + bytes([i])) * 10 + b"e\x94" for i in range(1, 40)) + b"."
    numbers = (k * (2**61 - 1) for k in range(1, 100_000))  # all of one hash
    yield "one-hash", b"\x80\x04}(" + b"".join(pickle.dumps(n, 2)[2:-1] + b"N" for n in numbers) + b"u."
    yield "a-list-as-key", b"\x80\x04}]Ns."
    yield "empty", b""
    yield "head-only", b"\x80\x04"
    yield "no-stop", b"\x80\x04]"
    yield "stop-only", b"."
    yield "protocol-200", b"\x80\xc8]."
    yield "not-a-pickle", b"<html>quota exceeded</html>"
    yield "zeros", bytes(5000)
    yield "half", pickle.dumps({"magic": "cliplib index 1", "columns": {"path": ["a"] * 99}}, protocol=4)[:-40]


def hostile(canary: Path) -> dict[str, bytes]:
    """All of them by name."""
    return dict([*code(canary), *bombs()])


def in_torch_file(data: bytes, script: bool) -> bytes:
    """The pickle inside an archive as `torch.save` writes it, or with `script` as TorchScript does."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/version", "3\n")
        archive.writestr("a/data/0", bytes(64))
        if script:
            archive.writestr("a/constants.pkl", b"\x80\x02).")
            archive.writestr("a/code/__torch__.py", "")
    return buffer.getvalue()
