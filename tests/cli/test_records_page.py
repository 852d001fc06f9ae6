"""docs/records.md names the keys of the records that commands print."""

import re
from dataclasses import fields

from irncli.batch.console import Record
from tests.support.places import ROOT


def test_every_key_is_on_the_page_and_no_other():
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    section = page.split("## Of `irn downscale`")[1].split("\n## ")[0]
    firsts = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {key for first in firsts for key in re.findall(r"`(\w+)`", first)}
    assert named == {field.name for field in fields(Record)} - {"messages"}
    always = section.split("| key | of |")[0]
    assert set(Record("a").as_json()) == {
        key for first in always.splitlines() if first.startswith("| `")
        for key in re.findall(r"`(\w+)`", first.split("|")[1])
    }  # fmt: skip
