"""A costly search that has to keep a core, and how varied what it pays for is around it."""
