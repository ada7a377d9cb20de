"""Watching: what on disk a build depends on, and building again when it has changed."""
