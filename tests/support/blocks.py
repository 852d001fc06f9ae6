"""Code in documents."""

import re


def blocks(text, kind):
    """What stands between the fences of this kind."""
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def shell_lines(text):
    """Commands, one a line, in order."""
    return [line for block in blocks(text, "sh") for line in block.strip().splitlines()]
