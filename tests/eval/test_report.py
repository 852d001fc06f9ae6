"""Records, and what is made of them: JSON, table, CSV, cards, the page, the chart."""

import csv
import io
import json
import math
import sys

import pytest
from PIL import Image

from irncli.errors import DataError, UnavailableError
from irncli.eval import plot
from irncli.eval.page import page
from irncli.eval.paper import PAPER, PAPER_SETS
from irncli.eval.records import PERCEPTUAL, dumps, loads, mean, merge, plain
from irncli.eval.report import card_rows, csv_text, markdown, table
from tests.support.measured import PICTURE, bicubic, record
from tests.support.places import ROOT


def test_means_of_what_is_finite():
    assert mean([1.0, None, math.nan, 3.0, math.inf]) == 2
    assert mean([math.inf, math.nan]) == math.inf
    assert math.isnan(mean([math.nan, None]))
    assert [plain(v) for v in (1.23456, math.inf, math.nan, None)] == [1.2346, None, None, None]


def test_json_round_trip():
    records = [record(), bicubic(set='Ünï "x"', failed=[{"image": "b.png", "error": "bad"}])]
    text = dumps(records)
    assert json.loads(text) == records
    assert loads(text.encode()) == records
    assert text.count("\n") < 100


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"{}", b"[]", b"[1]", b"[" * 100_000, b"[NaN]", b"[{}]",
        dumps([record()]).replace("33.1,", "NaN,").encode(),
        dumps([record()]).replace("33.1,", '"33.1",').encode(),
        dumps([record(scale=2.5)]).encode(),
        dumps([record(images=True)]).encode(),
        dumps([record(per_image=[3])]).encode(),
        dumps([record(per_image=[PICTURE | {"bpp": "much"}])]).encode(),
        dumps([record(lpips="low")]).encode(),
        dumps([record(remark=3)]).encode(),
    ],
)  # fmt: skip
def test_what_is_no_file_of_records_is_refused(data):
    with pytest.raises(DataError) as caught:
        loads(data)
    assert "\n" not in str(caught.value)


def test_the_keys_are_documented():
    text = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    for key in [*record(), *PICTURE, *PERCEPTUAL, "remark"]:
        assert f"`{key}`" in text, key


def test_later_records_replace_earlier_ones():
    old, new, other = record(psnr_y=1.0), record(psnr_y=2.0), record(scale=4)
    assert merge([[old, other], [new]]) == [new, other]


def test_the_table_is_aligned_and_leaves_out_what_nobody_has():
    lines = table([record(set="BSD100"), bicubic()]).splitlines()
    assert lines[0].split()[:4] == ["set", "model", "scale", "images"]
    assert "LPIPS" not in lines[0]
    assert lines[1].split()[:5] == ["BSD100", "irn-x2", "x2", "1", "33.10"]
    assert "inf" in lines[2].split()
    end = lines[0].index("scale") + len("scale")
    assert [line[end - 2 : end] for line in lines[1:]] == ["x2", "x2"]
    assert "z=0" not in table([bicubic()])


def test_a_table_that_is_too_wide_is_folded():
    records = [record(set="BSD100", lpips=0.25, niqe=4.5), bicubic()]
    whole, folded = table(records).splitlines(), table(records, 80).splitlines()
    assert max(map(len, whole)) > 80 >= max(map(len, folded))
    blocks = [block.splitlines() for block in "\n".join(folded).split("\n\n")]
    assert len(blocks) > 1
    assert {tuple(line.split()[0] for line in block) for block in blocks} == {
        ("set", "BSD100", "Set5")
    }
    # Each table repeats the set, the model and the scale.
    for number, line in enumerate(whole):
        parts = [block[number].split() for block in blocks]
        assert {tuple(part[:3]) for part in parts} == {tuple(line.split()[:3])}
        assert [cell for part in parts for cell in part[3:]] == line.split()[3:]
    assert table(records, 500).splitlines() == whole
    assert len(table(records, 10).splitlines()) > len(folded)


def test_the_table_says_what_is_missing():
    failed = [{"image": "bad.png", "error": "damaged"}]
    text = table([
        record(failed=failed, lpips=None, lpips_note="no weights", niqe=4.5),
        record(set="B", images=3, identical={"psnr_y": 2}, lpips=None, lpips_note="no weights"),
    ])  # fmt: skip
    assert "not measured: bad.png" in text
    assert text.count("lpips: no weights") == 1
    assert "4.5000" in text
    assert "psnr_y is infinite for 2 of 3 images" in text


def test_csv_has_a_line_for_each_set_and_picture():
    pictures = [PICTURE, PICTURE | {"image": 'odd, "name".png', "psnr_y": None}]
    text = csv_text([record(per_image=pictures, lpips=0.25), bicubic()])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["image"] for row in rows] == ["", "a.png", 'odd, "name".png', "", "a.png"]
    assert [float(rows[i]["psnr_y"]) for i in (0, 1, 3)] == [33.1, 33.1, 30.0]
    assert rows[2]["psnr_y"] == ""
    assert rows[0]["lpips"] == "0.25"
    assert {row["model"] for row in rows} == {"irn-x2", "bicubic"}
    assert rows[0]["weights_sha256"] == "ab" * 32
    assert None not in rows[0]


def test_rows_of_a_card_are_those_of_its_weights():
    records = [record(set=name) for name in ("BSD100", "Set5", "Kodak", "Set14")]
    rows = card_rows([*records, record(weights_sha256="cd" * 32), bicubic()], "ab" * 32)
    assert [(row["set"], row["z"]) for row in rows] == [
        (name, z) for name in ("Set5", "Set14", "BSD100") for z in ("z = 0", "default")
    ]
    assert rows[0] == {
        "set": "Set5", "z": "z = 0", "psnr": 33.2, "ssim": 0.901, "lr_psnr": 42.0,
    }  # fmt: skip
    assert card_rows(records, "00") == []
    assert markdown("irn-x2", rows) == [
        "| irn-x2, z drawn | 33.10 / 0.9000 | 33.10 / 0.9000 | 33.10 / 0.9000 |",
        "| irn-x2, z = 0 | 33.20 / 0.9010 | 33.20 / 0.9010 | 33.20 / 0.9010 |",
        "| LR of irn-x2 against bicubic LR | 42.00 | 42.00 | 42.00 |",
    ]


def rows_of(text, title):
    """Cells of the rows of the first Markdown table below a heading, by first cell."""
    lines = text[text.index(f"\n{title}\n") :].splitlines()
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if "|" in line]
    return {row[0]: row[1:] for row in cells[: len(cells)]}


def test_the_page_sets_ours_beside_the_papers():
    text = page([record(), record(set="Kodak"), bicubic()])
    rows = rows_of(text, "## x2")
    assert rows["PSNR-Y / SSIM-Y"] == [*PAPER_SETS, "Kodak"]
    missing = ["not measured"] * 4
    assert rows["irn-x2, z drawn"] == ["33.10 / 0.9000", *missing, "33.10 / 0.9000"]
    assert rows["irn-x2, z = 0"] == ["33.20 / 0.9010", *missing, "33.20 / 0.9010"]
    assert rows["bicubic"] == ["30.00 / 0.9000", *missing, "not measured"]
    assert rows["IRN (paper)"] == [
        "43.99 / 0.9871", "40.79 / 0.9778", "41.32 / 0.9876", "39.92 / 0.9865", "44.32", "-",
    ]  # fmt: skip
    assert "A CPU, 2 threads, on cpu in fp32" in text
    assert "weights abababababab, z drawn at temperature 1, mean over seeds 0 to 1" in text
    assert "inf / 1.0000" in text


def test_the_page_of_z_zero_colour_and_odd_names():
    odd = record(set="a|b", temperature=0.0, psnr_y_z0=33.1)
    colour = record(task="color", scale=1, model="irn-color", temperature=0.0)
    text = page([odd, colour, record(scale=8)])
    assert "z drawn |" not in text[text.index("## x2") : text.index("## x8")]
    assert "a\\|b" in text
    assert rows_of(text, "## Colour from gray")["irn-color"] == ["31.00 / 0.8800"]
    assert rows_of(text, "## x8")["IRN (paper)"][4] == "30.29"
    grids = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in grids)


def test_the_papers_table_is_whole():
    for scale in (2, 4):
        assert [row.method for row in PAPER[scale]] == ["bicubic", "CAR & EDSR", "IRN"]
        for weaker, stronger in zip(PAPER[scale], PAPER[scale][1:], strict=False):
            for name in PAPER_SETS:
                assert weaker.figures[name][0] < stronger.figures[name][0]


def test_the_published_page_is_that_of_its_records():
    """How to write it anew: benchmarks/results/README.md."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from pages import compression, results

    assert (ROOT / "docs" / "results.md").read_text() == results()
    assert (ROOT / "docs" / "compression.md").read_text() == compression()


def test_a_chart(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    several = [
        record(set=name, model=model, scale=scale)
        for name in ("Set5", "Kodak") for model in ("irn-x2", "mine") for scale in (2, 4, 8)
    ]  # fmt: skip
    nothing = record(set="none", psnr_y=None, psnr_y_std=None, images=0)
    colour = record(task="color", scale=1, model="irn-color")
    data = plot.chart([*several, bicubic(), nothing, colour])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert 700 < image.width < 3000
        assert image.height > 1200
        assert len(image.convert("RGB").getcolors(1 << 22)) > 20
    with pytest.raises(DataError, match="no finite PSNR"):
        plot.chart([nothing])


def test_without_matplotlib_a_chart_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"irncli\[plot\]"):
        plot.require()
