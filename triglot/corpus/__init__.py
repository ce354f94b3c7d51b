"""What is read. Every file format becomes a `ParallelCorpus` (training) or a `RetrievalSet` (evaluation)."""
