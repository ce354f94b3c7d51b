"""Text changed on purpose: noise, code-switching, synonyms, translations; word lists for it, learned; copies written
out."""
