"""For a class.

`explain` shows why a picture was found, `compare` puts models side by side, `upload` searches photos without a Drive,
and `preflight` tells before the lesson what will work. `selftest` checks real weights against published numbers.
"""
