"""The loop: a campaign file, its objective, screening, evaluation, and `run_campaign`. Import its modules by name."""
