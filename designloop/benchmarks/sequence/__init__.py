"""What ``designloop benchmark sequence-vae`` measures: one file a question."""
