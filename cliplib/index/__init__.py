"""Indexing: from a folder of files to rows in the cache.

In reading order: `update` conducts, `plan` compares the folder with the cache, `pipeline` turns files into samples in
threads. `first_pass` encodes photos by their previews before all else, `sidecars` knows what Takeout and Live Photos
keep beside a file, `known_content` finds the rows of content that is indexed already, `journal` remembers which files
were being read, `active_writers` who else is at work, and `report` is the answer. `estimate` says how long it will
take, `background` runs it in a thread, `check` looks at what came of it, and `imported` takes embeddings that another
program made.
"""
