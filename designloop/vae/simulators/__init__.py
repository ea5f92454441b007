"""Simulators: data whose truth is known, each a pure function of a knob for difficulty and a generator."""
