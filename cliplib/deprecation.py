"""Old names that go on working for one version, each with a DeprecationWarning that gives the new one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from operator import attrgetter
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Say that `old` is called `new` now, at the line of whoever called the caller."""
    warnings.warn(f"{old} is called {new} now; the old name goes with the next version", DeprecationWarning, stacklevel)


def renamed_attribute(old: str, new: str) -> Any:
    """The old name of an attribute or method, to stand in its class.

    class Hit:
        alike = renamed_attribute("Hit.alike", "duplicates")

    Args:
        old: the old name with that of its class, for the warning.
        new: the attribute that has it now, "holds.cache" for one of an attribute's own.
    """

    def read(self: object) -> Any:
        warn_renamed(old, new)
        return attrgetter(new)(self)

    return property(read, doc=f"The old name of `{new}`.")


def renamed_keywords(**new_names: str) -> Callable[[F], F]:
    """A decorator for a function or method some arguments of which have new names: `@renamed_keywords(old="new")`.

    The function then raises TypeError where it is given both names.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            for old in new_names.keys() & options.keys():
                new, name = new_names[old], function.__qualname__
                if new in options:
                    raise TypeError(f"{name}() was given {old}= and {new}=, which are the old and the new name of one")
                warn_renamed(f"{old}= of {name}()", f"{new}=")
                options[new] = options.pop(old)
            return function(*args, **options)

        return call  # type: ignore[return-value] # it takes what `function` takes, and the old names

    return decorate


def renamed_names(module: str, **new_names: str) -> Callable[[str], Any]:
    """Make a module's `__getattr__` for what has other names now.

    __getattr__ = renamed_names(__name__, old="new")

    Args:
        module: the module's name.
        **new_names: of each old name the new one; where it lives in another module now, "cliplib.that.module.name".
    """

    def read(old: str) -> Any:
        if old not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {old!r}")
        home, _, name = new_names[old].rpartition(".")
        warn_renamed(f"{module}.{old}", new_names[old])
        return getattr(import_module(home or module), name)

    return read
