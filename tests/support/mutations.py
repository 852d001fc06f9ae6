"""Files that are nearly right, and how many of them are tried.

    IRN_FUZZ=20 pytest -n 0 tests/io/test_damaged_files.py

tries twenty times as many as the checks do, which spend about half a minute on them. They are the
same in every run, and a longer run begins with those of a shorter one.
"""

import os

from hypothesis import settings
from hypothesis import strategies as st


def fuzz(examples):
    """Settings of a fuzzer that tries so many, times IRN_FUZZ."""
    return settings(max_examples=examples * int(os.environ.get("IRN_FUZZ", "1")))


@st.composite
def mutated(draw, data, words=()):
    """The bytes with a few of them changed, cut out, doubled, or cut off."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(damaged)))
        length = draw(st.sampled_from([1, 2, 4, 8, 40]))
        kind = draw(st.sampled_from(["change", "flip", "cut", "double", "end", "word"]))
        part = damaged[start : start + length]
        if kind == "change":
            damaged[start : start + length] = draw(st.binary(min_size=len(part), max_size=length))
        elif kind == "flip" and part:
            damaged[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del damaged[start : start + length]
        elif kind == "double":
            damaged[start:start] = part * draw(st.integers(1, 20))
        elif kind == "end" and draw(st.booleans()):
            del damaged[start:]
        elif kind == "word" and words:
            damaged[start:start] = draw(st.sampled_from(words))
    return bytes(damaged)
