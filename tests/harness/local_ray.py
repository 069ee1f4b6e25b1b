"""Ray on this machine, for tests and measuring: it starts whatever else runs here, and says nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import ray


@contextmanager
def local_ray(cpus: int = 2) -> Iterator[None]:
    """Ray with `cpus` cores, stopped afterwards.

    A start that Ray gives up after 30 s, as it does on a busy machine, is repeated.
    """
    for last in (False, False, False, True):
        try:
            ray.init(
                num_cpus=cpus,
                object_store_memory=2**28,
                include_dashboard=False,
                logging_level="ERROR",
                log_to_driver=False,
            )
            break
        except Exception:  # a bare one, by Ray
            ray.shutdown()
            if last:
                raise
    try:
        yield
    finally:
        ray.shutdown()
