"""Where bundles are published."""
