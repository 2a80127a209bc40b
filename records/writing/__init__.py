"""Pass 2 of make_records: plans to shards."""
