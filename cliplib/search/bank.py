"""Banks of texts: what else one might have asked.

A bank is encoded once for a model, and what rows need of it is kept beside the index.

`banks/everyday.txt` is for photos. A model that knows another world has a bank of its own there, encoded, which is
found by its model_id: the tiny model's captions of drawn scenes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from ..cache import side_files
from ..errors import QueryError
from . import background

if TYPE_CHECKING:
    from ..models.encoder import Encoder

BANKS = Path(__file__).with_name("banks")
EVERYDAY = BANKS / "everyday.txt"
AT_ONCE, BAR_AFTER_S = 64, 2.0  # texts that are encoded together; a bar is shown for what takes longer
KEEP_FROM = 2000  # rows from which their statistics are kept: those of fewer are made again in a tenth of a second


def read_texts(bank: str | Path | Iterable[str]) -> tuple[str, ...]:
    """The texts of a bank: a file with one a line, "#" before what is none, or the texts themselves.

    Raises:
        QueryError: there is no such file, or there are no texts.
    """
    if isinstance(bank, str | Path):
        try:
            lines = Path(bank).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text file"
            raise QueryError(
                f"bank={str(bank)!r} cannot be read ({why}): give a text file or a list of texts"
            ) from error
        bank = [line for line in lines if not line.startswith("#")]
    texts = tuple(dict.fromkeys(text.strip() for text in bank if text.strip()))
    if not texts:
        raise QueryError("the bank has no texts: give a thousand or so of what else one might ask, one a line")
    return texts


class Background:
    """A bank of texts for one model and index, and what a match needs of it.

    Args:
        encoder: the model.
        folder: the model's folder in the cache, where all of it is kept.
        bank: a file or texts, see `read_texts`. None: the model's own, else `banks/everyday.txt`.
    """

    def __init__(self, encoder: Encoder, folder: Path, bank: str | Path | Iterable[str] | None = None):
        self._encoder, self._folder, self._bank = encoder, folder, bank
        self._statistics: dict[str, background.RowStatistics] = {}

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The texts of the bank."""
        own = self._shipped
        return read_texts(self._bank or (BANKS / f"{own.name.partition('-')[0]}.txt" if own else EVERYDAY))

    @cached_property
    def vectors(self) -> np.ndarray:
        """Their embeddings: float32 (b, d), unit rows."""
        if self._shipped:
            rows = np.load(self._shipped).astype(np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)
        kept = side_files.read(self._folder, "bank", self.ident)
        if kept is not None and len(kept) == len(self.texts):
            flat = kept["embedding"].combine_chunks().values.to_numpy(zero_copy_only=False)
            return flat.reshape(len(self.texts), -1)
        rows = self._encoded()
        column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
        self._keep("bank", pa.table({"text": self.texts, "embedding": column}))
        return rows

    def _encoded(self) -> np.ndarray:
        """The texts encoded now, some at a time, with a bar where that takes long: 10 s for ViT-B/32 on two cores."""
        order = sorted(range(len(self.texts)), key=lambda number: len(self.texts[number]))  # like lengths together
        starts = range(0, len(order), AT_ONCE)
        bar = tqdm(starts, desc="Learning what texts look like to this model, once", delay=BAR_AFTER_S, leave=False)
        rows = np.empty((len(order), self._encoder.dim), np.float32)
        for start in bar:
            some = order[start : start + AT_ONCE]
            rows[some] = self._encoder.encode_texts([self.texts[number] for number in some])
        return rows

    def for_other_rows(self) -> Background:
        """The same bank, for rows of its own."""
        other = copy(self)
        other._statistics = {}
        return other

    @property
    def ident(self) -> str:
        """16 hex digits that name the texts."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()[:16]

    @cached_property
    def axes(self) -> np.ndarray:
        """See `background.span_of`."""
        return background.span_of(self.vectors)

    def statistics(self, rows: pa.Table, gallery: np.ndarray, row_kind: str) -> background.RowStatistics:
        """The statistics of the rows of a kind: kept ones, and those of new rows made now.

        Args:
            rows: n rows of an index, with "digest", "time_s" and "provisional".
            gallery: their embeddings, float32 (n, d).
            row_kind: "image" or "frame".
        """
        if row_kind not in self._statistics:
            self._statistics[row_kind] = self._of(rows, gallery, f"match_{row_kind}")
        return self._statistics[row_kind]

    def _of(self, rows: pa.Table, gallery: np.ndarray, name: str) -> background.RowStatistics:
        if len(rows) < KEEP_FROM:
            return background.row_statistics(gallery, self.vectors, self.axes)
        kept = side_files.read(self._folder, name, self.ident)
        places = np.full(len(rows), -1) if kept is None else side_files.positions(rows, kept)
        provisional = rows["provisional"].fill_null(False).to_numpy()  # their embeddings will change
        places[provisional] = -1
        new = np.flatnonzero(places < 0)
        made = background.row_statistics(gallery[new], self.vectors, self.axes)
        columns = {}
        for column, values in made._asdict().items():
            whole = np.empty(len(rows), np.float32)
            if kept is not None:
                whole[places >= 0] = kept[column].to_numpy()[places[places >= 0]]
            whole[new] = values
            columns[column] = whole
        if len(new) > provisional.sum():
            lasting = pa.array(~provisional)
            keys = rows.select(["digest", "time_s"])
            table = pa.table({"digest": keys["digest"], "time_s": keys["time_s"], **columns}).filter(lasting)
            self._keep(name, table)
        return background.RowStatistics(**columns)

    def _keep(self, name: str, table: pa.Table) -> None:
        """Write a side file; not where the index is gone, whose folder may be a mount that went away."""
        if self._folder.is_dir():
            side_files.write(self._folder, name, self.ident, table)

    @property
    def _shipped(self) -> Path | None:
        """The bank of the model's own world, encoded, where one lies in the package and none was given."""
        found = sorted(BANKS.glob(f"*-{self._encoder.model_id[:12]}.npy")) if self._bank is None else []
        return found[0] if found else None
