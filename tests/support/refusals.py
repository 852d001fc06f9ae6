"""What every command does when it refuses."""


def refused(outcome, status, *parts):
    """One line on standard error, with these parts, this exit status, and nothing else."""
    assert outcome.status == status, outcome.err
    (line,) = outcome.lines
    assert line.startswith("irn: ")
    assert "Traceback" not in line
    for part in parts:
        assert part in line, line
    assert outcome.out == b""
