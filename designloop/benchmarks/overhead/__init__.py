"""What the loop adds to oracles and model: time by part of a round, the file of the state, and memory."""
