"""Shardpress: trained models as static files that web pages load without delay."""

__version__ = "0.1.0"
