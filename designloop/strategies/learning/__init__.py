"""What changes in a strategy when scores come back."""
