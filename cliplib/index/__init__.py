"""Indexing: from a folder of files to rows in the cache.

In reading order: `update` conducts, `plan` compares the folder with the cache, `pipeline` turns files into samples in
threads (`first_pass`: photos by their previews, before all; with what `companions` know: sidecars, Live Photos),
`copies` finds the rows of content that is known already, `journal` remembers what was in flight, `presence` who else
is at work, and `report` is the answer. `estimate` says how long it will take, `background` lets it go on in a thread,
and `doctor` checks what came of it.
"""
