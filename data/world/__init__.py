"""The drawn world. Read `scenes` first: what a scene is, what may be asked about it, and what is true.

Then `captions` (scenes in words), `drawing` with `backdrops` and `objects` (scenes as pictures), `films` (scenes as
videos whose events are known to the millisecond).
"""
