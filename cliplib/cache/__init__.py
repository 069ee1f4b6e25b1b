"""The index on disk: rows of embeddings in Parquet that survive crashes, full disks, mounts that die, and new versions.

In reading order: `rows` is the table, `thumbs` the small pictures; `manifest` names the parts that are alive, `merging`
reads them back, `store` is all of it in one's hand. `format` is the version of it all, `reader` what those who search
need to know. `durable` writes a file whole or not at all, `mounts` knows what may not have arrived on a Drive,
`retention` what may be deleted; `side_files` and `flat` keep what is derived from the rows. `staging` copies in bulk
between a mount and the disk; `snapshot` and `pack` carry an index in one file.
"""
