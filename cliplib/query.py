"""What an image query means: which stored photo a path or a bare file name stands for."""

from pathlib import Path, PurePosixPath

from .errors import QueryError


def stored_path(image: str | Path, root: Path, paths: list[str]) -> str | None:
    """The one of `paths` (POSIX, relative to `root`) that `image` names, or None.

    Tried in this order: the path as it is in the index, a path of the file system that leads into `root`, and a file
    name alone. QueryError when several files have that name.
    """
    wanted, known = PurePosixPath(Path(image).as_posix()), set(paths)
    if str(wanted) in known:
        return str(wanted)
    real, home = Path(image).expanduser().resolve(), root.resolve()
    if real.is_relative_to(home) and real.relative_to(home).as_posix() in known:
        return real.relative_to(home).as_posix()
    if len(wanted.parts) > 1:
        return None
    namesakes = sorted(path for path in paths if PurePosixPath(path).name == wanted.name)
    if len(namesakes) > 1:
        raise QueryError(f"{wanted} is the name of {len(namesakes)} files; say which: {', '.join(namesakes[:5])}")
    return namesakes[0] if namesakes else None
