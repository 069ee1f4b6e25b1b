"""Before a lesson: does this account and this network allow what the notebooks need? Each check has a plain answer.

What a school account must allow: Colab itself, Drive in Colab ("Drive File Stream" in the administrator's console),
third-party cookies for colab.research.google.com and googleusercontent.com, and downloads of models. For each there is
a way round.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..drive import MOUNT_POINT, check_folder, on_colab
from ..errors import LibraryError
from ..models.fetch import open_url
from ..models.openai import ADDRESSES
from ..models.weights import TINY
from ..places import home

COOKIE = "(document.cookie = 'cliplib=1; SameSite=None; Secure') && document.cookie.includes('cliplib=1')"
ROOM_BYTES = 2 * 10**9  # for a model and an index
LEFT = 'style="text-align:left"'  # JupyterLab sets tables to the right, as for numbers
SIGNS = {True: "yes", False: "no", None: "not known"}


@dataclass(frozen=True)
class Check:
    """One question and its answer.

    Args:
        question: such as "Do notebooks run?".
        ok: True, False, or None where it cannot be told.
        found: what was seen.
        otherwise: what to ask the IT desk for, or how to do without.
    """

    question: str
    ok: bool | None
    found: str
    otherwise: str = ""

    def __str__(self) -> str:
        return f"{self.question} {SIGNS[self.ok]}: {self.found}" + ("" if self.ok else f"\n    {self.otherwise}")


class Checks(tuple):
    """Checks that print, and show themselves in a notebook as a table."""

    @property
    def ok(self) -> bool:
        """Whether nothing is known to be missing."""
        return all(check.ok is not False for check in self)

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = ((c.question, SIGNS[c.ok], c.found, "" if c.ok else c.otherwise) for c in self)
        cells = "".join(f"<tr>{''.join(f'<td {LEFT}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        heads = "".join(f"<th {LEFT}>{head}</th>" for head in ("question", "answer", "what was seen", "if not"))
        return f"<table><tr>{heads}</tr>{cells}</table>"


def preflight(model: str = "ViT-B/32") -> Checks:
    """The checks, in the order in which a lesson needs them; takes some seconds and changes nothing."""
    return Checks([_colab(), _cookies(), _drive(), _model(model), _room()])


def _colab() -> Check:
    here = "this notebook runs on Colab" if on_colab() else f"it runs on this computer, Python {sys.version.split()[0]}"
    return Check("Do notebooks run?", True, here)


def _cookies() -> Check:
    question = "Do outputs show on Colab?"
    ask = (
        "ask the IT desk to allow third-party cookies for colab.research.google.com and googleusercontent.com; "
        "or use another browser; or JupyterLab (make lab)"
    )
    if not on_colab():
        return Check(question, True, "not on Colab, so no third-party cookies are needed")
    try:
        from google.colab import output

        allowed = output.eval_js(COOKIE, timeout_sec=10)
    except Exception as error:  # google.colab raises its own kinds; without cookies there may be no answer at all
        return Check(question, False, f"the browser gave no answer ({type(error).__name__})", ask)
    found = "the browser keeps cookies of Colab's outputs" if allowed else "the browser blocks third-party cookies"
    return Check(question, bool(allowed), found, ask)


def _drive() -> Check:
    question, drive = "Can Drive be read?", Path(MOUNT_POINT) / "MyDrive"
    ask = (
        "ask the IT desk to allow Drive for Colab (the Drive File Stream policy); or work from a class pack "
        "(cliplib.Library.open_pack) or with uploaded photos (cliplib.lessons.upload), which need no Drive"
    )
    if not on_colab():
        return Check(question, None, "not on Colab: give the path of a folder on this computer", "nothing to do")
    try:
        if not drive.exists():
            return Check(question, None, "Drive is not mounted; 01_mount_drive tries it", ask)
        return Check(question, True, f"it is mounted, with {check_folder(drive)} entries")
    except (LibraryError, OSError) as error:  # OSError: a mount that went stale
        return Check(question, False, str(error), ask)


def _model(model: str) -> Check:
    question = f"Can the model {model} be had?"
    ask = 'ask the IT desk to allow its address; or put the file on Drive and give its path as model=; or model="tiny"'
    if (TINY if model == "tiny" else Path(model).expanduser()).is_file():
        return Check(question, True, "it is a file that is here")
    if model == "tiny":
        return Check(question, False, f"{TINY} is missing", ask)
    address = ADDRESSES.get(model)
    if address is None:
        return Check(question, None, f"no address is known for {model}", ask)
    if (home() / ".cache" / "clip" / address.rpartition("/")[2]).is_file():
        return Check(question, True, "it was downloaded before")
    try:
        open_url(address).close()
    except Exception as error:  # urllib, ssl and http raise dozens of kinds
        return Check(question, False, f"{address.split('/')[2]} does not answer: {error}", ask)
    return Check(question, True, f"{address.split('/')[2]} answers")


def _room() -> Check:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    found = f"{free / 1e9:.1f} GB are free on this machine's disk"
    return Check("Is there room?", free > ROOM_BYTES, found, "restart the session (Runtime, Disconnect and delete)")
