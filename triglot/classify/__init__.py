"""Classification on sentence vectors: labelled texts, heads, tasks, how well they do."""
