"""The shell: `python -m cliplib COMMAND FOLDER ...`; each command is a row of `COMMANDS`.

With --json standard output gets one JSON object and nothing else. Progress, warnings and errors go to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import CliplibError, printable
from .version import __version__

if TYPE_CHECKING:
    from .index.report import IndexReport
    from .library import Library
    from .search.results import Scores

# What messages of the library say to do, as people write it in Python.
CALL = re.compile(r"\b(?:library\.)?index\((?P<options>[^()]*)\)")
MODEL = re.compile(r"\bmodel=(?P<quote>['\"])(?P<name>.+?)(?P=quote)")
FLAGS = {"confirm_removals=True": "--confirm-removals", "retry_failed=True": "--retry-failed"}
INDEX_OPTIONS = ("every_s", "confirm_removals", "retry_failed", "first_pass")
LIBRARY_OPTIONS = ("model", "architecture", "activation", "device", "precision")
DEFAULT_MODEL = "ViT-B/32"
NEGATIVE = re.compile(r"-\.?\d")  # how a number begins that argparse would take for an option

Answer = tuple[dict, str, int]  # the JSON object, the words for a person, the exit status


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it worked; 1 for an error, in words on standard error; 130 after Ctrl-C; 141 where the reader of its
        output has gone.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has none; a terminal's code page may lack what a name holds
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(_with_negative_places(sys.argv[1:] if argv is None else argv))
    arguments.alone = argv is None  # in a process of its own
    warnings.showwarning = lambda message, *_: print(f"cliplib: {in_shell(message, arguments)}", file=sys.stderr)
    try:
        try:
            answer, words, status = run(arguments)
        except KeyboardInterrupt:
            print("cliplib: stopped; what was finished is saved, and the next run goes on from there", file=sys.stderr)
            return 130
        except BrokenPipeError:
            raise
        except (CliplibError, OSError) as error:
            print(f"cliplib: {in_shell(error, arguments)}", file=sys.stderr)
            return 1
        print(json.dumps(answer, indent=1) if arguments.json else in_shell(words, arguments), flush=True)
    except BrokenPipeError:  # such as `| head`; Python would complain once more when it closes what is broken
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 141
    return status


def parser() -> argparse.ArgumentParser:
    """The command line, made of `COMMANDS`."""
    shell = argparse.ArgumentParser(prog=program(), description="Find photos and video moments by what they show.")
    shell.add_argument("--version", action="version", version=f"cliplib {__version__}")
    commands = shell.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, words, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        for names, options in arguments:
            command.add_argument(*names, **options)
    return shell


def run(arguments: argparse.Namespace) -> Answer:
    """Do what was asked."""
    return COMMANDS[arguments.command].run(arguments)


def program() -> str:
    """How this program was called."""
    return "cliplib" if Path(sys.argv[0]).stem == "cliplib" else "python -m cliplib"


def in_shell(message: object, arguments: argparse.Namespace) -> str:
    """A message with the commands of this program in place of the calls that it names, and no control characters."""

    def command(call: re.Match) -> str:
        options = [FLAGS[name] for name in call["options"].replace(" ", "").split(",") if name in FLAGS]
        model = [] if arguments.model == DEFAULT_MODEL else ["--model", shlex.quote(arguments.model)]
        return " ".join([program(), "index", shlex.quote(getattr(arguments, "folder", "FOLDER")), *options, *model])

    text = MODEL.sub(lambda model: f"--model {shlex.quote(model['name'])}", CALL.sub(command, str(message)))
    return "\n".join(map(printable, text.split("\n")))


# what the commands do


def index(arguments: argparse.Namespace) -> Answer:
    """Index a folder."""
    return _reported(_library(arguments).index(**{name: getattr(arguments, name) for name in INDEX_OPTIONS}))


def import_embeddings(arguments: argparse.Namespace) -> Answer:
    """Take what another program has encoded."""
    return _reported(_library(arguments).import_embeddings(arguments.source))


def search(arguments: argparse.Namespace) -> Answer:
    """Text to image."""
    return _hits(arguments, arguments.query, "image")


def similar(arguments: argparse.Namespace) -> Answer:
    """Image to image."""
    from .search.query import image

    return _hits(arguments, image(arguments.query), "image")


def videos(arguments: argparse.Namespace) -> Answer:
    """Text or image to video frame."""
    return _hits(arguments, _video_query(arguments), "frame")


def moments(arguments: argparse.Namespace) -> Answer:
    """Text or image to stretches of videos."""
    found = _moments(arguments)
    _save(found, arguments)
    return {"moments": [_moment(each) for each in found], **_terms(found)}, str(found), 0


def clips(arguments: argparse.Namespace) -> Answer:
    """Moments as MP4 files."""
    from .export.originals import save_clips
    from .places import expanded

    found = _moments(arguments)
    files = save_clips(expanded(arguments.folder), found, arguments.to)
    told = [{"file": str(file), **_moment(each)} for file, each in files]
    words = "\n".join(f"{file}  {each}" for file, each in files) if files else str(found)
    return {"clips": told, **_terms(found)}, words, 0 if len(files) == len(found) else 1


def tags(arguments: argparse.Namespace) -> Answer:
    """Photos by word."""
    from .search.results import Tags

    words = list(dict.fromkeys(arguments.words))
    answers = (scores.top(arguments.k, arguments.threshold) for scores in _scores(arguments, words, "image"))
    found = Tags(dict(zip(words, answers, strict=True)))
    _save(found, arguments)
    counts = found.counts()
    told = {tag: {"count": counts[tag], "hits": list(map(_hit, hits))} for tag, hits in found.items()}
    return {"tags": told}, str(found), 0


def page(arguments: argparse.Namespace) -> Answer:
    """An album that a browser searches by itself."""
    title = {"title": arguments.title} if arguments.title else {}
    file = _library(arguments).save_page(arguments.file, queries=arguments.query, **title)
    size = file.stat().st_size
    return {"file": str(file), "size_bytes": size}, f"{file}: {size / 1e6:.1f} MB, opens in any browser", 0


def check(arguments: argparse.Namespace) -> Answer:
    """Is the index sound?"""
    findings = _library(arguments).check(by_content=arguments.content)
    sound = all(finding.sound for finding in findings)
    caches = [asdict(each) | {"advice": in_shell(each.advice, arguments)} for each in findings]
    return {"sound": sound, "caches": caches}, "\n".join(map(str, findings)), 0 if sound else 1


def selftest(arguments: argparse.Namespace) -> Answer:
    """Compare real weights with published numbers."""
    from .lessons.selftest import as_table
    from .lessons.selftest import selftest as compare

    result = compare(arguments.model, device=arguments.device)
    return result, as_table(result), 0 if result["passed"] else 1


def _library(arguments: argparse.Namespace) -> Library:
    from .library import Library

    return Library(arguments.folder, **{name: getattr(arguments, name) for name in LIBRARY_OPTIONS})


def _reported(report: IndexReport) -> Answer:
    names = ("indexed", "unchanged", "removed", "encoded", "moved", "confirmed")
    counts = {name: getattr(report, name) for name in names}
    counts |= {"written": report.holds.written, "outlook": report.holds.durability}
    skipped = [{"path": s.path, "stage": s.stage, "reason": s.reason} for s in report.skipped]
    beside = {"not_read": report.found.not_read, "left_out": report.found.left_out}
    return counts | {"skipped": skipped, "problems": report.problems} | beside, str(report), 0


def _scores(arguments: argparse.Namespace, queries: list, kind: str) -> Iterator[Scores]:
    """The scores of each query, of what passes the filters."""
    limits = {
        "folder": arguments.within,
        "since": arguments.since,
        "until": arguments.until,
        "screenshots": arguments.screenshots,
        "near": arguments.near,
        "km": arguments.km,
        "place": arguments.place,
    }
    for scores in _library(arguments).scores(queries, kind, arguments.ranking):
        yield scores.filter(**limits)


def _hits(arguments: argparse.Namespace, query: Any, kind: str) -> Answer:
    with _without_pandas() if arguments.alone else nullcontext():
        (scores,) = _scores(arguments, [query], kind)
        hits = scores.top(arguments.k, arguments.threshold)
    _save(hits, arguments)
    return {"hits": list(map(_hit, hits)), **_terms(hits)}, str(hits), 0


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Pyarrow imports pandas to see whether what it is given comes from there; a search gives it nothing of the kind.

    That would be an eighth of the time of a search. Pyarrow remembers the answer, so this is for a process of our own.
    """
    refusing = _NoPandas()
    sys.meta_path.insert(0, refusing)
    try:
        yield
    finally:
        sys.meta_path.remove(refusing)


class _NoPandas(MetaPathFinder):
    """Refuses to find pandas."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """None for any other module: whoever else is asked finds it."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name=fullname)


def _moments(arguments: argparse.Namespace) -> Any:
    (scores,) = _scores(arguments, [_video_query(arguments)], "frame")
    return scores.moments(arguments.k, arguments.threshold, arguments.gap_s, arguments.refine)


def _video_query(arguments: argparse.Namespace) -> Any:
    from .search.query import image

    return image(arguments.query) if arguments.image else arguments.query


def _hit(hit: Any) -> dict:
    return {name: getattr(hit, name) for name in ("path", "match", "score", "time_s")}


def _moment(moment: Any) -> dict:
    return {name: getattr(moment, name) for name in ("path", "start_s", "end_s", "peak_s", "match", "score")}


def _terms(answer: Any) -> dict:
    """On which terms an answer was given."""
    warning = answer.warning
    return {"threshold": answer.threshold, "scale": answer.scale, "warning": warning, "banner": warning}


def _save(answer: Any, arguments: argparse.Namespace) -> None:
    """Write an answer where --csv and --html say."""
    from .export.answers import save
    from .places import output_file

    for file, endings in ((arguments.csv, (".csv",)), (arguments.html, (".html", ".htm"))):
        if file:
            save(answer, output_file(file, *endings))


# what the commands take


def _argument(*names: str, **options: Any) -> tuple[tuple[str, ...], dict]:
    """The arguments of one call of `add_argument`."""
    return names, options


def _place(text: str) -> tuple[float, float]:
    """LAT,LON in degrees."""
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give latitude and longitude, such as 48.85,2.35") from None
    return latitude, longitude


def _with_negative_places(argv: list[str]) -> list[str]:
    """The command line with `--near -33.9,151.2` as `--near=-33.9,151.2`: argparse takes the first for two options."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] == "--near" and NEGATIVE.match(word):
            joined[-1] = f"--near={word}"
        else:
            joined.append(word)
    return joined


class Command(NamedTuple):
    """What a command does, says of itself and takes."""

    run: Callable[[argparse.Namespace], Answer]
    help: str
    arguments: list[tuple[tuple[str, ...], dict]]


FOLDER = _argument("folder", metavar="FOLDER", help="the library: a folder of photos and videos")
COMMON = [
    _argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"an openai/CLIP name, tiny, open_clip:..., hf-hub:..., or a checkpoint (default {DEFAULT_MODEL})",
    ),
    _argument(
        "--architecture",
        help="what a checkpoint holds or was fine-tuned from, where it does not tell: ViT-B/32, ViT-H-14 ...",
    ),
    _argument("--activation", help="quickgelu or gelu, where a checkpoint does not tell"),
    _argument("--device", help="cpu, cuda, mps or gpu (default: a GPU where there is one)"),
    _argument("--precision", help="of the products for pictures: fp32, bf16 or fp16 (default: the fastest here)"),
    _argument("--json", action="store_true", help="one JSON object on standard output"),
]
SEARCH = [
    *COMMON,
    _argument("-k", type=int, default=5, help="how many results at most (default 5)"),
    _argument("--threshold", type=float, help="smallest cosine (default: a cutoff on the match)"),
    _argument("--ranking", choices=("match", "cosine"), default="match", help="what orders results (default match)"),
    _argument("--folder", dest="within", metavar="FOLDER", help="only below this folder of the library"),
    _argument("--since", metavar="DAY", help="only what was taken on this day or later, YYYY-MM-DD"),
    _argument("--until", metavar="DAY", help="only what was taken on this day or earlier"),
    _argument("--near", type=_place, metavar="LAT,LON", help="only what was taken near this place, in degrees"),
    _argument("--place", help='only what was taken in a town, state or country: Lisbon, PT, "Paris, Texas"'),
    _argument("--km", type=float, default=5.0, help="how near that is, in kilometres (default 5)"),
    _argument(
        "--screenshots", action=argparse.BooleanOptionalAction, default=True, help="with or without pictures of screens"
    ),
]
FILES = [
    _argument("--csv", metavar="FILE", help="write the results to this table as well, which Excel opens"),
    _argument("--html", metavar="FILE", help="write them to one page with their pictures as well"),
]
TEXT = _argument("query", metavar="TEXT")
IMAGE = _argument("query", metavar="IMAGE", help="a file, or a photo of the library by its path or name")
OF_VIDEOS = [
    _argument("query", metavar="QUERY", help="a text; with --image a picture"),
    _argument("--image", action="store_true", help="QUERY is a file, or a photo of the library by its path or name"),
]
OF_MOMENTS = [
    *OF_VIDEOS,
    _argument("--gap", dest="gap_s", type=float, metavar="SECONDS", help="the longest hole that is bridged"),
    _argument("--refine", action="store_true", help="decode the videos again around the edges, to find these exactly"),
]
COMMANDS = {
    "index": Command(
        index,
        "encode what is new in a folder",
        [
            FOLDER,
            *COMMON,
            _argument(
                "--every",
                dest="every_s",
                type=float,
                metavar="SECONDS",
                help="time between the sampled frames of a video",
            ),
            _argument("--confirm-removals", action="store_true", help="let the rows go of many files that are gone"),
            _argument("--retry-failed", action="store_true", help="try again what could not be decoded before"),
            _argument(
                "--first-pass",
                action=argparse.BooleanOptionalAction,
                help="new photos by the previews in their files first (by default where half of them carry one)",
            ),
        ],
    ),
    "import": Command(
        import_embeddings,
        "take embeddings that another program made",
        [
            FOLDER,
            _argument("source", metavar="SOURCE", help="clip-retrieval's folder, or an .npz, .csv, .parquet or .pkl"),
            *COMMON,
        ],
    ),
    "search": Command(search, "find photos by text", [FOLDER, TEXT, *SEARCH, *FILES]),
    "similar": Command(similar, "find photos by image", [FOLDER, IMAGE, *SEARCH, *FILES]),
    "videos": Command(videos, "find frames of videos by text or image", [FOLDER, *OF_VIDEOS, *SEARCH, *FILES]),
    "moments": Command(moments, "find stretches of videos by text or image", [FOLDER, *OF_MOMENTS, *SEARCH, *FILES]),
    "clips": Command(
        clips,
        "write the moments that are found as MP4 files",
        [
            FOLDER,
            *OF_MOMENTS,
            _argument("--to", required=True, metavar="FOLDER", help="where the files go; nothing is overwritten"),
            *SEARCH,
        ],
    ),
    "tags": Command(
        tags,
        "count and find the photos that fit each of some words",
        [FOLDER, _argument("words", metavar="WORD", nargs="+"), *SEARCH, *FILES],
    ),
    "page": Command(
        page,
        "write a page that a browser searches without Python",
        [
            FOLDER,
            _argument("file", metavar="FILE.html"),
            _argument(
                "--query", action="append", default=[], metavar="TEXT", help="prepare this, too; as often as you like"
            ),
            _argument("--title", help="the heading of the page"),
            *COMMON,
        ],
    ),
    "check": Command(
        check,
        "is the index sound, and does it agree with the folder?",
        [
            FOLDER,
            *COMMON,
            _argument("--content", action="store_true", help="compare files by reading them, not by size and time"),
        ],
    ),
    "selftest": Command(selftest, "check the real weights against OpenAI's published numbers", COMMON),
}


if __name__ == "__main__":
    sys.exit(main())
