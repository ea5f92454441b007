"""The PMO benchmark: 20 tasks, every call of the oracle counted, ours and its peers through the same measures."""
