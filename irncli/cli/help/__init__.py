"""Help texts, manual pages and shell completion, all made from the same definitions."""
