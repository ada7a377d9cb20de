"""From build.toml to a whole bundle on disk."""
