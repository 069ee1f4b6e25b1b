"""Answers as HTML: `html` draws results, players and reports; `style` is the one style sheet of all of them.

`scale` turns a score into the length of a bar and a word, and `histogram` draws all scores with the cutoff.
"""
