"""Trying again: what may pass is tried three times, what stays once."""

import errno

import pytest

from cliplib.media import retry


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(retry, "RETRY_WAITS_S", (0, 0))


def failing(times: int, number: int):
    """An action that fails so often with an error number, then gives how often it was called."""
    calls = []

    def action():
        calls.append(1)
        if len(calls) <= times:
            raise OSError(number, "pretended")
        return len(calls)

    return action, calls


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_what_passes_in_three_tries_is_given(failures):
    action, _ = failing(failures, errno.EIO)
    assert retry.with_retries(action) == failures + 1


def test_the_third_failure_is_raised():
    action, calls = failing(3, errno.ENOTCONN)
    with pytest.raises(OSError, match="pretended"):
        retry.with_retries(action)
    assert len(calls) == 3


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSPC])
def test_what_stays_is_raised_at_once(number):
    action, calls = failing(1, number)
    with pytest.raises(OSError, match="pretended"):
        retry.with_retries(action)
    assert len(calls) == 1
