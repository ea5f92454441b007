"""What scores are believed to be before they are paid for."""
