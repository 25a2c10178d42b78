"""The command line. Inner order: `demo` (the main job and its tables), `options`; `writing`; `commands`."""
