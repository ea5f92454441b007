"""``python -m designloop``: the same commands as ``designloop``."""

from designloop.cli import main

if __name__ == "__main__":
    main()
