"""What was paid for: bounded, and in the model's own writing."""
