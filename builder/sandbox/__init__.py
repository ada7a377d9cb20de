"""What a process gives up before it touches a stranger's model; needs nothing but Python's own library."""
