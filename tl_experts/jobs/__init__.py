"""Everything on disk or on workers: files, resumable work, Ray, launchers. Knows no language, imports no torch.

Inner order: `files` (atomic, checksummed files), `pieces` (numbered work that resumes), `workers` (Ray), `launch` (the
rank of this process).
"""
