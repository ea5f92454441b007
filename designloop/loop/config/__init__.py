"""A campaign file as text: YAML nodes, how settings are declared, problems, and what a field wants in words."""
