"""Trying again: a mounted Google Drive fails now and then, and works a second later."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

PASSING = frozenset({errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EAGAIN, errno.ESTALE})
PASSING |= {errno.ECONNRESET, errno.ECONNABORTED}
RETRY_WAITS_S = (0.2, 1.0)
Result = TypeVar("Result")


def with_retries(action: Callable[[], Result]) -> Result:
    """What `action()` returns; up to three tries where it raises an OSError that may pass (`PASSING`)."""
    for wait_s in RETRY_WAITS_S:
        try:
            return action()
        except OSError as error:
            if error.errno not in PASSING:
                raise
        time.sleep(wait_s)
    return action()
