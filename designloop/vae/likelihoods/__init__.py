"""Likelihoods p(x | z): each turns the decoder's output into a distribution over data. One file a family."""
