"""Answers as HTML: `html` draws results, players and reports; `style` is the one style sheet of all of them."""
