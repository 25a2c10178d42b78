"""Everything on disk or on workers: files, resumable work, Ray, launchers. Knows no language, imports no torch.

Inner order: `paths` (no name leads out of its folder), `files` (atomic, checksummed files), `folders` (folders that
appear whole, locks), `arrays`, `artefacts` and `tables` (what the files hold), `job` (what identifies resumable work),
`pieces` (its numbered units on disk), `workers` (Ray), `launch` (the rank of this process).
"""
