"""Answers as files: `answers` writes a table or a page, `originals` copies the files that were found."""
