"""What benchmarks are made of: options, records and their page, trials kept on disk, arms, and measures."""
