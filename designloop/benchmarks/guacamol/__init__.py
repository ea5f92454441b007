"""How fast GuacaMol's tasks are, beside RDKit's parsing and beside the package guacamol."""
