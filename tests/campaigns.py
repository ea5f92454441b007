"""The campaign that tests of the whole run, which the benchmark of robustness runs, too."""

from designloop.testing.small_campaign import MOLECULES, ORACLE, write_campaign, write_tiny_model

__all__ = ["MOLECULES", "ORACLE", "write_campaign", "write_tiny_model"]
