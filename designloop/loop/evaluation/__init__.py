"""Oracles that run, whatever befalls them.

Here is the asking: ``evaluator`` (the ledger first, then chunks), ``attempts`` (what replies mean), ``backends`` (where
requests go), ``incidents`` and ``stats`` (what is told of it), ``settings``, ``errors``, ``processes`` (what the kernel
tells of them). ``child/`` is the process that an oracle lives in, ``ray/`` scoring on Ray.
"""
