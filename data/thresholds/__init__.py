"""Which rule for a cutoff holds: `experiments` runs them all, on the libraries of `drawn`.

`simulation` asks whether intervals hold what they promise, `recordings` repeats a part on the real CLIP, `plots` draws.
"""
