"""Starting up costs under 0.2 s of processor time."""

import os
import subprocess
import sys

import pytest

LIMIT_SECONDS = 0.2


def processor_seconds(arguments):
    command = [sys.executable, "-m", "irncli", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to measure a child")
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_starts_at_once(argument):
    processor_seconds([argument])  # byte code is compiled once
    assert min(processor_seconds([argument]) for _ in range(8)) < LIMIT_SECONDS
