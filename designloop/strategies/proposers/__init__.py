"""Where free candidates come from."""
