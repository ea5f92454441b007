"""Imputation: closed forms, tables with entries missing in all three ways, and breast cancer."""
