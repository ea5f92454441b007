"""The child process that an oracle lives in: it is timed, killed whole and started again.

``oracle_process`` runs requests in it (``exchange`` has their types), ``guarded_child`` has its pipes, its program is
``oracle_child``: a guard, and the worker that calls the oracle. ``workplace``, ``scratch`` and ``as_loaded`` are the
folder that each request finds as new; ``missing_files`` and ``undeclared_reads`` tell what an oracle lacks or reads
there; ``side_by_side`` and ``shared_places`` find out whether two get into each other's way.
"""
