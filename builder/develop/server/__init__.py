"""The development server: what a page asks for, and news of each build."""
