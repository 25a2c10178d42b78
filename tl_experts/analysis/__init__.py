"""Pure functions of arrays: they know neither models, languages nor files.

Vectors are PyTorch tensors or NumPy arrays; results are tensors, or Python numbers.

Inner order: `arrays` (conversion); `vectors` and `statistics`; above them `distances`, `isotropy`, `subspace` and
`retrieval`.
"""
