"""What a molecule is: chemistry, codec, corpus, the sequence VAE and its metrics.

Nothing is imported here: ``from designloop.molecules import chemistry`` loads RDKit alone, ``codec`` also selfies,
``sequence_vae`` also torch.
"""
