"""Pure functions of arrays: they know neither models, languages nor files.

Inner order: `vectors` and `statistics`; above them `distances`, `isotropy`, `subspace` and `retrieval`.
"""
