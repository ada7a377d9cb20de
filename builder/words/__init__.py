"""Word vectors as tables of whole numbers that a page can search."""
