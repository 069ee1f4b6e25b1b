"""The headless door: `python -m cliplib index DIR`, `search DIR "text"`, `similar DIR IMAGE`, `videos DIR "text"`,
`import DIR FILE`, `check DIR`, `selftest`.

With --json one JSON object goes to standard output and nothing else; progress and words go to standard error.
"""

import argparse
import json
import os
import re
import shlex
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

from .errors import CliplibError, printable

# What messages of the library say to do, as people write it in Python.
CALL = re.compile(r"\b(?:library\.)?index\((?P<options>[^()]*)\)")
MODEL = re.compile(r"\bmodel=(?P<quote>['\"])(?P<name>.+?)(?P=quote)")
FLAGS = {"confirm_removals=True": "--confirm-removals", "retry_failed=True": "--retry-failed"}
INDEX_OPTIONS = ("every_s", "confirm_removals", "retry_failed", "first_pass")
DEFAULT_MODEL = "ViT-B/32"
OPTIONS = {  # of a model, as `models.load` takes them
    "architecture": "what a checkpoint holds or was fine-tuned from, where it does not tell: ViT-B/32, ViT-H-14 ...",
    "activation": "quickgelu or gelu, where a checkpoint does not tell",
    "device": "cpu, cuda, mps or gpu (default: a GPU where there is one)",
    "precision": "of the products for pictures: fp32, bf16 or fp16 (default: what is fastest here)",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"an openai/CLIP name, tiny, open_clip:..., hf-hub:..., or a checkpoint (default {DEFAULT_MODEL})",
    )
    for name, words in OPTIONS.items():
        common.add_argument(f"--{name}", help=words)
    common.add_argument("--json", action="store_true", help="one JSON object on standard output")
    asking = argparse.ArgumentParser(add_help=False)
    asking.add_argument("-k", type=int, default=5, help="how many results at most (default 5)")
    asking.add_argument("--threshold", type=float, help="smallest cosine (default: a cutoff on the match)")
    asking.add_argument(
        "--ranking", choices=("match", "cosine"), default="match", help="what orders results (default match)"
    )
    asking.add_argument("--folder", dest="within", metavar="FOLDER", help="only below this folder of the library")
    asking.add_argument("--since", metavar="DAY", help="only what was taken on this day or later, YYYY-MM-DD")
    asking.add_argument("--until", metavar="DAY", help="only what was taken on this day or earlier")
    main = argparse.ArgumentParser(prog=program(), description=__doc__.split("\n\n")[0])
    commands = main.add_subparsers(dest="command", required=True)
    index = commands.add_parser("index", parents=[common], help="encode what is new in a folder")
    index.add_argument("folder")
    index.add_argument(
        "--every", dest="every_s", type=float, metavar="SECONDS", help="time between the sampled frames of a video"
    )
    index.add_argument("--confirm-removals", action="store_true", help="let the rows go of many files that are gone")
    index.add_argument("--retry-failed", action="store_true", help="try again what could not be decoded before")
    index.add_argument(
        "--first-pass",
        action=argparse.BooleanOptionalAction,
        help="new photos by the previews in their files first (by default where half of them carry one)",
    )
    taking = commands.add_parser("import", parents=[common], help="take embeddings that another program made")
    taking.add_argument("folder")
    taking.add_argument("source", help="clip-retrieval's folder, or an .npz, .csv, .parquet or .pkl")
    for name, what, words in (
        ("search", "text", "photos"),
        ("similar", "image", "photos"),
        ("videos", "text", "frames"),
    ):
        command = commands.add_parser(name, parents=[common, asking], help=f"find {words} by {what}")
        command.add_argument("folder")
        command.add_argument("query", metavar=what)
    check = commands.add_parser(
        "check", parents=[common], help="is the index sound, and does it agree with the folder?"
    )
    check.add_argument("folder")
    check.add_argument("--content", action="store_true", help="compare files by reading them, not by size and time")
    commands.add_parser("selftest", parents=[common], help="check the real weights against OpenAI's published numbers")
    return main


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


def run(arguments: argparse.Namespace) -> tuple[dict, str, int]:
    """Do what was asked: the JSON object, the words for a person, the exit status."""
    if arguments.command == "selftest":
        from .lessons.selftest import as_table, selftest

        result = selftest(arguments.model, device=arguments.device)
        return result, as_table(result), 0 if result["passed"] else 1
    from .library import Library
    from .search.query import image

    library = Library(arguments.folder, model=arguments.model, **{name: getattr(arguments, name) for name in OPTIONS})
    if arguments.command == "check":
        findings = library.check(by_content=arguments.content)
        answer = {
            "sound": all(f.sound for f in findings),
            "caches": [asdict(f) | {"advice": in_shell(f.advice, arguments)} for f in findings],
        }
        return answer, "\n".join(map(str, findings)), 0 if answer["sound"] else 1
    if arguments.command in ("index", "import"):
        options = {name: getattr(arguments, name, None) for name in INDEX_OPTIONS}
        report = (
            library.index(**options) if arguments.command == "index" else library.import_embeddings(arguments.source)
        )
        names = ("indexed", "unchanged", "removed", "encoded", "moved", "confirmed")
        counts = {name: getattr(report, name) for name in names}
        counts |= {"written": report.holds.written, "outlook": report.holds.durability}
        skipped = [{"path": s.path, "stage": s.stage, "reason": s.reason} for s in report.skipped]
        beside = {"not_read": report.found.not_read, "left_out": report.found.left_out}
        return counts | {"skipped": skipped, "problems": report.problems} | beside, str(report), 0
    query = image(arguments.query) if arguments.command == "similar" else arguments.query
    scores = library.score(query, "frame" if arguments.command == "videos" else "image", arguments.ranking)
    scores = scores.filter(arguments.within, arguments.since, arguments.until)
    hits = scores.top(arguments.k, arguments.threshold)
    found = [{"path": h.path, "match": h.match, "score": h.score, "time_s": h.time_s} for h in hits]
    return {"hits": found, "threshold": hits.threshold, "scale": hits.scale, "banner": hits.warning}, str(hits), 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 for an error (in words on standard error), 130 after Ctrl-C, 141 where who
    read its output has gone."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has none; a terminal's code page may lack what a name holds
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(argv)
    warnings.showwarning = lambda message, *_: print(f"cliplib: {in_shell(message, arguments)}", file=sys.stderr)
    try:
        try:
            answer, words, status = run(arguments)
        except CliplibError as error:
            print(f"cliplib: {in_shell(error, arguments)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("cliplib: stopped; what was finished is saved, and the next run goes on from there", file=sys.stderr)
            return 130
        print(json.dumps(answer, indent=1) if arguments.json else in_shell(words, arguments), flush=True)
    except BrokenPipeError:  # such as `| head`; Python would complain once more when it closes what is broken
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main())
