"""How much a model prefers languages, in minutes: a sample of texts, the measures, a verdict in plain words."""
