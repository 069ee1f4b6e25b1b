"""Files on disk: find them, read them, open photos and videos, cut clips; nothing here knows of models or caches.

In reading order: `formats` lists what is read, by suffix and by first bytes; `files` walks a folder and its `zips`,
`reading` reads a file or a member (`retry` tries again on a mount that fails). `photo` opens a picture upright, as sRGB
(`colour`), with what is written in it (`metadata`), if its bytes are all there (`completeness`); `raw` and `preview`
find the small picture that a photo's file carries. `video` gives frames with their times (`container` tells what is
missing of a file) and `clip` writes a stretch of them; `libtiff` hears what one decoder says, and `versions` names all.
`dates` reads dates however they are written, `takeout` knows
what phones and Google Takeout call things, `screenshot` what shows a screen, and `geography` what a place is called.
"""
