"""From properties to one score: transforms, and the objective that they belong to."""
