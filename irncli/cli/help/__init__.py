"""Help texts, manual pages and completion, all of the same definitions."""
