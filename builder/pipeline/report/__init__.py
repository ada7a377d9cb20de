"""What a build knows about its bytes: where they are, when they arrive, which could be spared; and a page of it."""
