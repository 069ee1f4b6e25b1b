"""How long a test waits: by the time that a machine of its own would have taken, not by the clock on the wall.

Where fourteen processes want two cores, a second of the clock is a seventh of a second of work. So what is slow beside
other work is waited for, and what hangs is found as soon on a quiet machine as ever.
"""

import os
import time
from pathlib import Path

LOAD = Path("/proc/loadavg")  # "2.10 1.70 1.20 14/312 4711": 14 of 312 threads want a core now


def crowding() -> float:
    """How many threads want each core of this machine, at least 1; 1 where the system does not tell."""
    try:
        average, _, _, threads, _ = LOAD.read_text().split()
    except (OSError, ValueError):
        return 1.0
    wanted = max(float(average), float(threads.partition("/")[0]))
    return max(1.0, wanted / (os.cpu_count() or 1))


def patience_s(quiet_s: float) -> float:
    """Seconds to wait, on the machine as crowded as it is now, for what takes at most `quiet_s` on a quiet one."""
    return quiet_s * crowding()


class Patience:
    """So many seconds of a quiet machine; true until they are over, however crowded it is meanwhile."""

    def __init__(self, quiet_s: float):
        self.left_s, self.looked_at = quiet_s, time.monotonic()

    def __bool__(self) -> bool:
        now = time.monotonic()
        self.left_s -= (now - self.looked_at) / crowding()
        self.looked_at = now
        return self.left_s > 0
