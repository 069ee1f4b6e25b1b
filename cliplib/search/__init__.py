"""Searching: from a query to hits and moments.

In reading order: `query` is what was asked, `asking` makes a vector of it, `ranking` compares vectors (arrays in,
arrays out), `scores` holds every row's cosine, `results` the best of them (`copies` says what one picture is, `saving`
writes them to a file); `moments` are stretches of a video, `footage` finds their true edges, and
`originals` copies the files that were found. `blocks` searches an index that is larger than memory.
"""
