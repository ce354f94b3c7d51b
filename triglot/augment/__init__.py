"""Text changed on purpose: code-switching through word lists."""
