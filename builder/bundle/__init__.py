"""What a bundle is made of: heads, shards, the index, and the loader that carries it."""
