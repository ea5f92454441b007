"""Oracles that run, whatever befalls them: three subjects side by side.

Asking: ``evaluator`` (the ledger first, then chunks), ``attempts`` (what a reply means), ``backends`` (where requests
go), ``incidents`` and ``stats`` (what is told of it), ``settings``, ``errors``.

Ray: ``ray_keeper`` (the thread that starts, watches and ends it), ``ray_backend``, ``ray_worker`` and ``ray_cluster``
(its use), ``own_ray`` and ``joined_ray`` (who can reach it), ``listening`` and ``processes`` (what the kernel tells),
``private_folder`` (its files), ``kept_signals``.

The child process that an oracle lives in: ``oracle_process`` (starts it, times it, starts it again), ``guarded_child``
(its pipes), ``oracle_child`` (its program, guard and worker), ``workplace``, ``scratch`` and ``as_loaded`` (the folder
that each request finds as new), ``missing_files`` (advice), ``side_by_side`` and ``shared_places`` (whether two get
into each other's way).
"""
