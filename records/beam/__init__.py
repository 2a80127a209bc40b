"""Pass 1 on a cluster: the same plans as records.ingest makes, by Apache Beam pipelines on any number of machines."""
