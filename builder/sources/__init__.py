"""Readers of source models."""
