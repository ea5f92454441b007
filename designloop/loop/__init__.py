"""The loop: `run_campaign` and what stands round it; below it a room a subject. Import its modules by name.

config <- scoring, screening, evaluation <- campaign <- the round
"""
