"""The version, for those that the package's face imports."""

__version__ = "0.2.0.dev0"
