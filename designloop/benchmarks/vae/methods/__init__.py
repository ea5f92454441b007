"""Methods of the VAE library and their criteria, each a file of this folder, or a folder with a ``method.py``."""
