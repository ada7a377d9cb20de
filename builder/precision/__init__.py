"""How few bits each layer needs, measured by running the model; see ``docs/precision.md``."""
