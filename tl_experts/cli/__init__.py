"""The command line.

Inner order: `demo` (the main job), `options`, `output`; `groups` (options that belong together), `steered`,
`catalogue`, `demo_tables`; a module for each kind of command; `commands`.
"""
