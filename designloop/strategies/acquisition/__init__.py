"""Which of the free candidates are worth paying for."""
