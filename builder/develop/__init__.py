"""Watch mode: which files a build depends on, and building again when they change."""
