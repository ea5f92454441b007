"""What each side runs, in a process of its own, by ``benchmarks/peers/scripts/serve.py``.

``prepare(task)`` gives the function of a turn; a turn has a task and molecules of its own, which no turn before it had.
"""
