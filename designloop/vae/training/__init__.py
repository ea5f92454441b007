"""Training: the one loop, the losses that it minimises, their schedules and its batches."""
