"""The page: what it holds, and what a browser makes of it."""

import base64
import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image

from irncli.comparison import page as module
from irncli.comparison.numbers import measure
from irncli.comparison.page import page
from irncli.comparison.pair import paired
from irncli.io.picture import Metadata, Picture

RED, GREEN = (200, 30, 30), (30, 180, 60)
NASTY = """<script>alert("&'$gain")</script>.png"""


def flat(colour, height=300, width=400):
    return np.full((height, width, 3), colour, np.uint8)


def made(a, b, crops=3, gain=None, names=("a.png", "b.png"), metadata=None):
    pictures = (Picture(pixels, metadata=metadata or Metadata()) for pixels in (a, b))
    pair = paired(*zip(names, pictures, strict=True))
    return page(pair, measure(pair), crops=crops, gain=gain, version="1.2").decode()


def embedded(html):
    """The images of a page, in order."""
    found = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', html)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(data)))) for kind, data in found]


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of two images."""

    def show(*arguments, **options):
        path = tmp_path / "page.html"
        path.write_text(made(*arguments, **options), encoding="utf-8")
        browser.open(path)
        return browser

    return show


def near(pixel, colour, most=3):
    return np.abs(pixel.astype(int) - colour).max() <= most


def test_pictures_are_embedded_as_they_are(noise):
    a, b = noise(40, 60), noise(40, 60)
    found = embedded(made(a, b, crops=2, gain=1))
    assert [kind for kind, _ in found] == ["png"] * 9
    whole = [np.array(image) for _, image in found[:3]]
    assert np.array_equal(whole[0], a)
    assert np.array_equal(whole[1], b)
    assert np.array_equal(whole[2], np.abs(a.astype(int) - b))
    first = np.array(found[3][1])
    assert any(
        np.array_equal(first, a[y : y + 16, x : x + 16]) for y in range(25) for x in range(45)
    )


def test_large_pictures_are_reduced_and_that_is_said(photo, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_AREA", 30_000)
    monkeypatch.setattr(module, "LOSSLESS_AREA", 10_000)
    a = photo[:300, :450]
    html = made(a, 255 - a)
    found = embedded(html)
    assert [kind for kind, _ in found[:4]] == ["webp", "webp", "webp", "png"]
    assert found[0][1].size == (150, 100)
    assert "shown at 1/3 of their size, as WebP of quality 90" in html
    assert "as WebP" not in made(a[:50, :50], a[:50, :50])


def test_what_is_large_by_one_side_is_reduced_too():
    html = made(flat(RED, 2, 9000), flat(GREEN, 2, 9000), crops=0)
    assert embedded(html)[0][1].size == (3000, 1)


def test_names_are_escaped():
    html = made(flat(RED), flat(GREEN), names=(NASTY, "b.png"))
    assert "<script>alert" not in html
    assert html.count("<script>") == 1
    assert "&lt;script&gt;alert(&quot;&amp;&#x27;$gain&quot;)&lt;/script&gt;.png" in html


def test_the_policy_names_the_style_and_the_script():
    html = made(flat(RED), flat(GREEN))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert not re.search(r"https?://|@import|url\(| style=| on\w+=", html)


def test_profiles_go_along():
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    found = embedded(made(flat(RED), flat(GREEN), crops=1, metadata=Metadata(icc=profile)))
    kept = [image.info.get("icc_profile") for _, image in found]
    assert kept == [profile, profile, None] * 2


def test_numbers_and_remarks_are_in_the_page():
    gray = flat((9, 9, 9))
    pair = paired(("a", Picture(gray, gray=True)), ("b", Picture(flat(RED))))
    html = page(pair, measure(pair), crops=0, gain=None, version="1.2").decode()
    rows = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', html))
    assert rows["A"] == "a, 400x300, 8 bits"
    assert rows["PSNR"] == dict(measure(pair).lines())["PSNR"]
    assert "<li>A is gray" in html
    assert "Where they differ most" not in html
    assert "irn 1.2" in html


def test_the_page_asks_for_nothing_and_has_no_errors(opened):
    browser = opened(flat(RED), flat(GREEN), names=(NASTY, "b.png"))
    (asked,) = browser.requests()
    assert asked.startswith("file://")
    assert browser.complaints() == []
    assert browser.evaluate("document.title") == f"{NASTY} and b.png"
    assert browser.evaluate("document.scripts.length") == 1
    assert browser.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")


def test_its_policy_blocks_what_is_not_in_it(opened):
    browser = opened(flat(RED), flat(GREEN))
    browser.evaluate("""new Promise((done) => {
        const image = new Image();
        image.onerror = done;
        image.src = "http://127.0.0.1:9/a.png";
        document.body.append(image);
    })""")
    browser.evaluate("""(() => {
        const script = document.createElement("script");
        script.textContent = "window.harm = true";
        document.body.append(script);
    })()""")
    assert browser.evaluate("window.harm === undefined")
    assert len(browser.complaints()) >= 2


def test_the_pointer_moves_the_divider(opened):
    browser = opened(flat(RED), flat(GREEN), crops=0)
    left, top, width, height = browser.box(".stage")
    row, columns = top + height // 4, [left + width * part // 8 for part in (1, 3, 5, 7)]

    def colours():
        seen = browser.pixels()[row, columns]
        return "".join("A" if near(pixel, RED) else "B" if near(pixel, GREEN) else "?"
                       for pixel in seen)  # fmt: skip

    assert colours() == "AABB"
    browser.drag((left + width // 2, row), (left + width // 4, row))
    assert colours() == "ABBB"
    browser.click(left + width * 3 // 4, row)
    assert colours() == "AAAB"
    assert browser.complaints() == []


def test_the_edge_lies_where_the_pointer_is(opened):
    browser = opened(flat(RED), flat(GREEN), crops=0)
    left, top, width, height = browser.box(".stage")
    for part in (0.1, 0.5, 0.93):
        x = left + round(part * width)
        browser.click(x, top + height // 4)
        row = browser.pixels()[top + height // 8, left : left + width]
        edge = next(at for at, pixel in enumerate(row) if near(pixel, GREEN))
        assert abs(left + edge - x) < 6


def test_keys_move_the_divider_and_it_says_where_it_is(opened):
    browser = opened(flat(RED), flat(GREEN), crops=0)
    divider = "document.querySelector('.divider')"
    browser.evaluate(f"{divider}.focus()")
    before = browser.pixels()
    for _ in range(10):
        browser.press("ArrowRight", 39)
    assert browser.evaluate(f"{divider}.value") == "60"
    assert browser.evaluate(f"{divider}.getAttribute('aria-valuetext')") == "A 60 %, B 40 %"
    left, top, width, height = browser.box(".stage")
    at = (top + height // 4, left + width * 56 // 100)
    assert near(before[at], GREEN)
    assert near(browser.pixels()[at], RED)
    browser.press("End", 35)
    assert browser.evaluate(f"{divider}.value") == "100"
    browser.press("ArrowLeft", 37)
    assert browser.evaluate(f"{divider}.value") == "99"


@pytest.mark.parametrize(
    ("view", "left_half", "right_half"),
    [
        ("slider", RED, GREEN),
        ("a", RED, RED),
        ("b", GREEN, GREEN),
        ("difference", (170, 150, 30), (170, 150, 30)),
    ],
)
def test_views(opened, view, left_half, right_half):
    browser = opened(flat(RED), flat(GREEN), crops=0, gain=1)
    browser.click(*middle(browser, f'input[value="{view}"]'))
    left, top, width, height = browser.box(".stage")
    seen = browser.pixels()[top + height // 4]
    assert near(seen[left + width // 4], left_half)
    assert near(seen[left + width * 3 // 4], right_half)


def middle(browser, selector):
    left, top, width, height = browser.box(selector)
    return left + width // 2, top + height // 2


def test_arrow_keys_flip_between_views(opened):
    browser = opened(flat(RED), flat(GREEN), crops=0)
    browser.evaluate("document.querySelector('input[value=a]').focus()")
    browser.press(" ", 32)
    seen = []
    for key, code in (("ArrowRight", 39), ("ArrowLeft", 37)):
        browser.press(key, code)
        seen.append(browser.evaluate("document.getElementById('viewer').dataset.view"))
    assert seen == ["b", "a"]


def test_a_detail_is_shown_in_the_picture_pixel_for_pixel(opened, photo):
    a, b = photo[:300, :450], 255 - photo[:300, :450]
    browser = opened(a, b, crops=1)
    browser.evaluate("document.querySelector('figure button').click()")
    seen = browser.pixels()
    stage_left, stage_top, stage_width, _ = browser.box(".stage")
    assert stage_width == 4 * 450
    caption = browser.evaluate("document.querySelector('figcaption').textContent")
    x, y = (int(value) for value in re.search(r"at (\d+), (\d+)", caption).groups())
    for dx, source in ((8, a), (24, a), (40, b), (56, b)):
        at = stage_top + 4 * (y + 10) + 2, stage_left + 4 * (x + dx) + 2
        assert near(seen[at], source[y + 10, x + dx].astype(int))


def test_frames_can_be_hidden(opened):
    browser = opened(flat(RED), flat(GREEN), crops=1)
    frames = "getComputedStyle(document.querySelector('.frames')).display"
    assert browser.evaluate(frames) != "none"
    browser.click(*middle(browser, 'input[name="frames"]'))
    assert browser.evaluate(frames) == "none"


def test_everything_has_a_name_for_who_cannot_see_it(opened):
    browser = opened(flat(RED), flat(GREEN), crops=2)
    names = browser.evaluate("""[...document.querySelectorAll("input, button, img")].map((one) =>
        one.getAttribute("aria-label") || one.alt || one.closest("label")?.innerText.trim())""")
    assert len(names) == 3 + 9 + 1 + 6 + 2
    assert all(names)


@pytest.mark.parametrize("width", [360, 1600])
def test_it_fits_any_window(browser, tmp_path, photo, width):
    path = tmp_path / "page.html"
    path.write_text(made(photo, 255 - photo, names=("a" * 200, "b.png")), encoding="utf-8")
    browser.open(path, width=width, height=700)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    left, _, wide, tall = browser.box(".stage")
    assert tall <= 0.83 * 700
    assert left + wide <= width
