"""The `surefoot` command: one module per noun, each with its verbs as functions in its `app`."""
