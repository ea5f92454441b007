"""One small script for each side of a comparison with a peer, run by ``serve.py`` in the side's own environment.

Each gives ``prepare(task) -> run`` and ``run(seed) -> {"seconds": …, "value": …}``: how long it took, and what it came
to, by which is seen whether both sides did the same. A peer's script imports nothing of designloop, ours (``ours_…``)
nothing of a peer. They are files to be run, not modules to be imported: here no peer is installed.
"""
