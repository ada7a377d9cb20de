"""Reads build.toml into frozen structs."""
