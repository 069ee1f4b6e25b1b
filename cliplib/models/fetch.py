"""Fetch published weights: from OpenAI, or the same from the model hub; whole and checked, or not at all."""

import hashlib
import os
import queue
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..errors import ModelError
from ..places import home

ANSWER_WITHIN_S = 4  # per address: a network that swallows packets must not hold anybody for minutes
HUB_FILE = "open_clip_model.safetensors"


def fetch(name: str, address: str, repo: str) -> Path:
    """The checkpoint of a name of openai/CLIP, downloaded where it is not on disk already.

    Args:
        name: Such as "ViT-B/32", for messages.
        address: OpenAI's, whose last folder is the file's sha256; the file goes to ~/.cache/clip, as with openai/CLIP.
        repo: The model hub's with the same weights, tried when OpenAI does not answer.

    Raises:
        ModelError: None of them gave it; lists what was tried and says what to do.
    """
    from huggingface_hub import hf_hub_download, hf_hub_url, try_to_load_from_cache

    sha256, filename = address.split("/")[-2:]
    target, tried = home() / ".cache" / "clip" / filename, []
    if target.is_file():
        if sha256_of(target) == sha256:
            return target
        tried.append(f"{target}: damaged or incomplete (its sha256 is not the published one)")
    cached = try_to_load_from_cache(repo, HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    hub_address = hf_hub_url(repo, HUB_FILE)
    try:
        return _download(address, target, sha256)
    except Exception as error:  # urllib, ssl and http raise dozens of kinds; each is quoted below
        tried.append(f"{address}: {error}")
    try:
        open_url(hub_address).close()  # the hub's own client would retry for minutes
        return Path(hf_hub_download(repo, HUB_FILE))
    except Exception as error:  # as above
        tried.append(f"{hub_address}: {error}")
    attempts = "\n  ".join(tried)
    raise ModelError(
        f"the weights of {name} cannot be had. Tried:\n  {attempts}\nWhat to do: try again with a network; or fetch "
        f'{filename} elsewhere and give it as model="/path/{filename}"; or try model="tiny", which needs no network '
        "but knows only the drawn sample library"
    )


def _download(address: str, target: Path, sha256: str) -> Path:
    """Download to `target`, which appears whole and checked or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with open_url(address) as answer, tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder, "part")
        total = int(answer.headers.get("Content-Length") or 0) or None
        with open(part, "wb") as file, tqdm(total=total, unit="B", unit_scale=True, desc=target.name) as progress:
            while chunk := answer.read(1 << 20):
                file.write(chunk)
                digest.update(chunk)
                progress.update(len(chunk))
        if digest.hexdigest() != sha256:
            raise OSError("what arrived is incomplete or not the published file (sha256 differs)")
        os.replace(part, target)
    return target


def open_url(address: str | urllib.request.Request) -> Any:
    """`urlopen` that gives up after ANSWER_WITHIN_S without an answer, name look-up included; reads may take 30 s.

    Raises:
        TimeoutError: Nobody answered in time.
        OSError: As `urlopen` raises it.
    """
    outcome: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            outcome.put((urllib.request.urlopen(address, timeout=30), None))
        except Exception as error:  # handed to the caller
            outcome.put((None, error))

    threading.Thread(target=ask, daemon=True).start()  # urlopen's own limit does not cover the name look-up
    try:
        answer, error = outcome.get(timeout=ANSWER_WITHIN_S)
    except queue.Empty:
        raise TimeoutError(f"no answer within {ANSWER_WITHIN_S} s") from None
    if error:
        raise error
    return answer


def sha256_of(path: str | os.PathLike) -> str:
    """The sha256 of a file's bytes, as 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
