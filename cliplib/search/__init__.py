"""Searching: from a query to hits and moments.

In reading order: `mode` says what is asked with and what is looked for, `query` what was asked. `ranking` compares
vectors (arrays in, arrays out), and `background` tells how much of a score is a match, by the texts of a `bank`.
`engine` makes a vector of a query and compares it with an index. `results` holds every row's score, and the best of
them: `ordering` chooses between match and cosine, `filters` which rows count, `duplicates` what is one picture.
`moments` are stretches of a video, and `footage` cuts a preview of one and finds its true edges. `occlusion` asks which
patch of a picture its score hangs on, and `blocks` searches an index that is larger than memory.
"""
