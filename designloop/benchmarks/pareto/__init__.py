"""Campaigns that trade two properties off, against fixed weights and weights drawn anew each round."""
