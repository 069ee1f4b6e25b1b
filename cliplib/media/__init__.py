"""Files on disk: find them, read them patiently, open photos and videos; nothing here knows of models or caches.

In reading order: `files` walks a folder and reads (members of `zips` too), `content` tells what bytes are, `photo`
opens a picture upright with what its camera wrote (`exif`), `video` gives frames with their times (`decoder` is PyAV's
half, `patient` reads large files from a mount that fails), and `takeout` knows what phones and Google Takeout call
things.
"""
