"""The command line: the only place that prints, catches broadly, or exits."""
