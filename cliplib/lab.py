"""The lab has moved: import `cliplib.calibrate.lab`. This name goes in the next version."""

import warnings

from .calibrate.lab import *  # noqa: F403

warnings.warn("cliplib.lab has moved: use `from cliplib.calibrate import lab`", DeprecationWarning, stacklevel=2)
