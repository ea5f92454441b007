"""Whether designloop is wrong, silent or rude about what nobody expects."""
