"""How scores become the next molecules. One strategy a file, found by the file's name; see ``base``."""
