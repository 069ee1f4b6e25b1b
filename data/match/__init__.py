"""Match: `bank` writes the texts of the background; `realclip` and `drawn` measure what the match finds with them.

`realclip` works on recordings of the real ViT-B/32, where they are; `drawn` on the drawn world.
"""
