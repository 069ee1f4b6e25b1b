"""The set-up's decisions: without GitHub, without a GPU, with an old Python, and when nothing has changed."""

import functools
import importlib.util
import re
import socket
import threading

import pytest
from packaging.requirements import Requirement

from tests.harness.servers import Silent, answering


def load(monkeypatch, repo, name):
    """The module `.ci/<name>.py`."""
    monkeypatch.syspath_prepend(str(repo / ".ci"))
    spec = importlib.util.spec_from_file_location(f"ci_{name}", repo / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(monkeypatch, repo):
    return load(monkeypatch, repo, "setup")


@pytest.fixture
def sources(monkeypatch, repo):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return load(monkeypatch, repo, "sources")


@pytest.fixture
def web():
    """The address of a local server: /yes answers 200, all else 404."""

    class Handler(Silent):
        def do_HEAD(self):
            self.send(200 if self.path == "/yes" else 404)

    with answering(Handler) as address:
        yield address


@pytest.fixture
def silent():
    """The address of a port that takes connections and never says a word, like a network that swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/yes"


def test_probe_tells_an_answer_from_a_refusal(sources, web):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/yes"
    assert sources.probe([f"{web}/yes", f"{web}/no", nobody]) == [True, False, False]


def test_probe_gives_up_on_silence_and_keeps_what_answered(sources, web, silent):
    assert sources.probe([silent, f"{web}/yes", silent]) == [False, True, False]  # who waits for silence never returns


def test_probe_gives_up_on_a_name_lookup_that_hangs(sources, monkeypatch):
    release, ended = threading.Event(), threading.Event()

    def hang(*address, **hints):
        release.wait(60)
        ended.set()
        return []

    monkeypatch.setattr(sources, "PROBE_LIMIT_S", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert sources.probe(["http://github.invalid/"]) == [False]
    assert not ended.is_set()
    release.set()


def test_clip_comes_from_github_at_the_asked_commit(sources, repo):
    asked = re.search(r"^clip @ (\S+)", (repo / "requirements.txt").read_text(), re.M).group(1)
    with_git, without_git = (sources.clip_sources(True, has_git) for has_git in (True, False))
    assert with_git[0][1] == asked
    assert without_git[0][1] == f"https://github.com/openai/CLIP/archive/{sources.CLIP_COMMIT}.zip"
    assert with_git[-1][1] == without_git[-1][1] == "clip-anytorch==2.6.0"


def test_clip_comes_from_the_registry_where_github_is_silent(sources):
    assert [source for _, source in sources.clip_sources(False, True)] == ["clip-anytorch==2.6.0"]


@pytest.mark.parametrize(
    ("answers", "gpu", "system", "from_cpu_index"),
    [
        (True, False, "linux", True),
        (True, True, "linux", False),
        (False, False, "linux", False),
        (True, False, "darwin", False),
    ],
)
def test_torch_comes_from_the_cpu_index_only_without_a_gpu(sources, answers, gpu, system, from_cpu_index):
    first = sources.torch_sources(answers, gpu, system, "x86_64")[0]
    assert ("--index-url" in first[1]) is from_cpu_index
    assert sources.torch_sources(answers, gpu, system, "x86_64")[-1][1] == []


def test_a_driver_that_lists_no_gpu_counts_as_none(sources, tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not sources.has_nvidia_gpu()
    for script, expected in [("exit 9", False), ("echo 'No devices found'", False), ("echo 'GPU 0: a card'", True)]:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert sources.has_nvidia_gpu() is expected


def test_refuses_an_old_python_and_says_what_to_do(setup):
    with pytest.raises(SystemExit, match=r"needs Python 3\.10 or newer.*is 3\.9.*make PYTHON="):
        setup.refuse_old_python((3, 9, 18))
    setup.refuse_old_python((3, 10, 0))


def test_says_what_to_install_where_debian_left_venv_out(setup):
    assert setup.venv_problem() is None
    message = setup.venv_problem(lambda name: None if name == "ensurepip" else object())
    assert "sudo apt install python3-venv" in message


def test_the_next_source_is_taken_when_one_fails(setup, capsys):
    def fail():
        raise setup.SetupError("no route")

    taken = []
    setup.first_that_works([("GitHub", fail), ("the index", functools.partial(taken.append, "index"))])
    assert taken == ["index"]
    assert "no route" in capsys.readouterr().err
    with pytest.raises(setup.SetupError, match="no route"):
        setup.first_that_works([("GitHub", fail), ("the index", fail)])


def test_a_failed_command_shows_the_end_of_what_it_said(setup):
    with pytest.raises(setup.SetupError, match=r"ended 3: sh -c .*\nline 9\n(line 1\d\n)+line 20$") as caught:
        setup.run("sh", "-c", "for i in $(seq 20); do echo line $i; done; exit 3")
    assert "line 2\n" not in str(caught.value)
    with pytest.raises(setup.SetupError, match=r"no end after 0\.1 s: sleep 5"):
        setup.run("sleep", "5", limit_s=0.1)


class FakeEnvironment:
    """Stands in for .venv: remembers what pip was asked, and which modules can be imported after what was installed."""

    def __init__(self, setup, monkeypatch, broken=()):
        self.setup, self.asked, self.broken = setup, [], set(broken)
        monkeypatch.setattr(setup, "pip", self.pip)
        monkeypatch.setattr(setup, "check_imports", self.check_imports)

    def pip(self, *arguments, limit_s=None):
        self.asked.append(" ".join(arguments))
        if "opencv-python-headless" in arguments and arguments[0] == "install":
            self.broken.discard("cv2")

    def check_imports(self, modules):
        if self.broken & set(modules):
            raise self.setup.SetupError("ImportError: libGL.so.1")


def test_opencv_without_libgl_gives_way_to_the_headless_build(setup, monkeypatch):
    environment = FakeEnvironment(setup, monkeypatch, broken=["cv2"])
    setup.mend_opencv()
    assert environment.asked == [
        "uninstall --yes opencv-python opencv-python-headless",
        "install opencv-python-headless",
    ]
    setup.mend_opencv()
    assert len(environment.asked) == 2  # it works now: nothing more to do


def test_a_mismatched_torch_and_torchvision_are_not_kept(setup, monkeypatch):
    environment = FakeEnvironment(setup, monkeypatch, broken=["torchvision"])
    with pytest.raises(setup.SetupError):
        setup.install_torch([("the CPU index", ["--index-url", "x"]), ("the index", [])])
    assert environment.asked == [
        "install --index-url x torch torchvision",
        "uninstall --yes torch torchvision",
        "install torch torchvision",
        "uninstall --yes torch torchvision",
    ]


@pytest.fixture
def installed(setup, monkeypatch, tmp_path):
    """`setup` on an imaginary .venv; the list says which groups pip was asked for, run by run."""
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(setup, "VENV_PYTHON", tmp_path)
    monkeypatch.setattr(setup, "make_venv", lambda: None)
    monkeypatch.setattr(setup.sources, "choose", lambda: ([("CLIP", "clip")], [("torch", [])]))
    environment = FakeEnvironment(setup, monkeypatch)
    return lambda: [asked.rsplit(str(setup.ROOT), 1)[1] for asked in environment.asked if "--editable" in asked]


def test_nothing_is_done_twice_and_groups_add_up(setup, installed, monkeypatch):
    assert setup.main(["test"]) == 0
    assert setup.main(["test"]) == setup.main(["run"]) == setup.main([]) == 0
    assert installed() == ["[test]"]
    assert setup.main(["lab"]) == 0
    assert installed() == ["[test]", "[lab,test]"]
    monkeypatch.setattr(setup, "requirements_digest", lambda: "changed")
    assert setup.main(["run"]) == 0
    assert installed() == ["[test]", "[lab,test]", "[lab,test]"]


def test_a_damaged_stamp_means_install_again(setup, installed):
    setup.STAMP.write_text('{"digest": ')
    assert setup.main([]) == 0
    assert installed() == [""]


def test_a_failed_step_leaves_no_stamp(setup, installed, monkeypatch, capsys):
    def fail():
        raise setup.SetupError("run: sudo apt install python3-venv")

    monkeypatch.setattr(setup, "make_venv", fail)
    assert setup.main(["test"]) == 1
    assert "sudo apt install python3-venv" in capsys.readouterr().err
    assert not setup.STAMP.exists()


@pytest.fixture
def pinned(monkeypatch, repo, tmp_path):
    """The script of .venv-colab and .venv-lowest in an imaginary clone; `asked` says what was run, time by time."""
    pinned = load(monkeypatch, repo, "pinned")
    setup = pinned.setup
    monkeypatch.setattr(setup, "requirements_digest", lambda: "digest")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    pinned.packages = [tmp_path / name / "lib" / "python3.12" / "site-packages" for name in (".venv", ".venv-colab")]
    for folder in pinned.packages:
        folder.mkdir(parents=True)
    (tmp_path / ".venv-colab" / "bin").mkdir()
    (tmp_path / ".venv-colab" / "bin" / "python").touch()
    pinned.asked = []
    monkeypatch.setattr(setup, "run", lambda *command, limit_s=None: pinned.asked.append(" ".join(map(str, command))))
    return pinned


def test_pinned_versions_come_before_what_is_shared(pinned, repo, tmp_path):
    assert pinned.main("colab") == 0
    made, added = pinned.asked
    venv = tmp_path / ".venv-colab"
    assert made.endswith(f"-m venv --clear --without-pip {venv}")
    pins = repo / ".ci" / "colab.txt"
    assert f"--python {venv / 'bin' / 'python'} install --only-binary=:all: --requirement {pins}" in added
    shared, own = pinned.packages
    assert (own / "shared.pth").read_text() == f"{shared}\n"
    assert not list(shared.iterdir())
    assert pinned.main("colab") == 0 and len(pinned.asked) == 2  # the stamp vouches for it


def test_an_environment_that_failed_is_made_again(pinned, monkeypatch, capsys):
    def fail(*command, limit_s=None):
        raise pinned.setup.SetupError("no such version")

    with monkeypatch.context() as broken:
        broken.setattr(pinned.setup, "run", fail)
        assert pinned.main("colab") == 1
    assert "no such version" in capsys.readouterr().err
    assert pinned.main("colab") == 0 and len(pinned.asked) == 2


def test_colabs_versions_are_those_of_its_list(repo):
    listed = repo.parent / "shared" / "colab" / "pip-freeze.txt"
    if not listed.is_file():
        pytest.skip("no ../shared/colab/pip-freeze.txt beside the repo")
    pins = [line for line in (repo / ".ci" / "colab.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(pins) == 10 and set(pins) <= set(listed.read_text().splitlines())


def requirement_lines(repo):
    """The requirements of requirements.txt, comments away."""
    lines = (line.split("  #")[0].strip() for line in (repo / "requirements.txt").read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_pyproject_and_requirements_name_the_same_packages(repo):
    tomllib = pytest.importorskip("tomllib", reason="tomllib came with Python 3.11")
    declared = tomllib.loads((repo / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(declared) == sorted(line for line in requirement_lines(repo) if not line.startswith("clip @"))


def pins(repo, name):
    """{package: version} of a list of pinned versions."""
    lines = (line.partition(";")[0].strip() for line in (repo / ".ci" / name).read_text().splitlines())
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_no_requirement_asks_colab_for_another_version(repo):
    colab, lowest = pins(repo, "colab.txt"), pins(repo, "lowest.txt")
    asked = [Requirement(line) for line in requirement_lines(repo) if not line.startswith("clip @")]
    floors = {need.name for need in asked if need.specifier}
    assert floors == lowest.keys() - {"numpy"}  # which the others bring
    for need in asked:
        assert not need.specifier or lowest[need.name] in need.specifier
        assert need.name not in colab or colab[need.name] in need.specifier
