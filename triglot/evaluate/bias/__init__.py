"""Language bias of rankings: its measures, and their summary for each benchmark."""
