"""What learning adds: campaigns by the model alone and whole ones, and draws of the model as it learns."""
