"""Answers as files: `answers` writes a table or a page, `album` a page to search, `originals` copies what was found."""
