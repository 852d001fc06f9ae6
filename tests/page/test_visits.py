"""The page in a real browser: what it restores, what it says, and that it needs no network."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.page_runtime import require_runtime
from tests.support.pages import served
from tests.support.pictures import values
from tests.support.site_visit import Visit

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page that the command has written, a quick model that it has, and one that it lacks."""
    from irncli.cli.app import run

    folder = tmp_path_factory.mktemp("page")
    require_runtime()
    quick, other = (folder / f"{name}.safetensors" for name in ("quick", "other"))
    for seed, path in enumerate((quick, other)):
        network = shaken(SMALL["irn-x2"], seed, strength=0.02)
        path.write_bytes(serialise(network, Card(name=path.stem)))
    models = [word for name in ("irn-x2", "irn-color", quick) for word in ("--model", str(name))]
    assert run(["page", str(folder / "site"), "-q", *models]) == 0
    return SimpleNamespace(folder=folder / "site", quick=quick, other=other)


@pytest.fixture(scope="module")
def address(site):
    with served(site.folder) as address:
        yield address


@pytest.fixture
def visit(browser, address, tmp_path):
    (tmp_path / "saved").mkdir()
    visit = Visit(browser, tmp_path / "saved")
    visit.open(address)
    return visit


@pytest.fixture
def files(irn, tmp_path, photo, monkeypatch):
    """Images to make small."""
    monkeypatch.chdir(tmp_path)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    crop = Image.fromarray(photo[190:254, 150:247])
    exif = Image.Exif()
    exif[0x010E] = "parrots"
    crop.save("plain.png")
    crop.save("named.png", exif=exif, icc_profile=profile, dpi=(300, 300))
    crop.convert("L").save("gray.png")
    Image.fromarray(photo[150:230, 100:380]).save("wide.png")
    return tmp_path


@pytest.fixture
def small(irn, files, site):
    """A small image of 140x40 pixels, which takes little time to restore."""
    made(irn, "downscale", "wide.png", "--scale", 2, "--model", site.quick, "-o", "small.png")
    return files / "small.png"


def made(irn, command, *words):
    outcome = irn(command, *words)
    assert outcome.status == 0, outcome.err


def same(path, expected):
    """Whether nearly all values are those of another file, and the others next to them."""
    a, b = values(path).astype(int), values(expected).astype(int)
    assert a.shape == b.shape
    difference = np.abs(a - b)
    return (difference <= 1).mean() >= 0.999 and (difference == 0).mean() > 0.98


def test_images_are_restored_as_the_command_does(visit, irn, files):
    made(irn, "downscale", "named.png", "--scale", 2, "-o", "named_x2.png")
    made(irn, "downscale", "plain.png", "--scale", 2, "-o", "coded.jpg")
    made(irn, "downscale", "plain.png", "--scale", 1.5, "-o", "part.png")
    made(irn, "downscale", "gray.png", "--scale", 2, "-o", "mono.png")
    made(irn, "decolor", "plain.png", "-o", "colourless.png")
    names = ["named_x2.png", "coded.jpg", "part.png", "mono.png", "colourless.png"]
    visit.choose(*(files / name for name in names))
    said = visit.settled(len(names))
    for name in names:
        assert "as irn wrote them" in said[name], said[name]
        expected = files / f"expected_{name}.png"
        command = "colorize" if name == "colourless.png" else "upscale"
        made(irn, command, name, "--temperature", 0, "-o", expected)
        path = visit.save(name)
        assert path.name == f"{name.partition('.')[0]}_restored.png"
        assert same(path, expected), name
        assert values(path).ndim == (2 if name == "mono.png" else 3)
    with Image.open(files / "saved" / "named_x2_restored.png") as image:
        with Image.open("named.png") as original:
            assert image.info["icc_profile"] == original.info["icc_profile"]
        assert image.getexif()[0x010E] == "parrots"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert "urn:irn:tag" not in str(image.info)
    assert visit.browser.failures() == []


def test_tiles_leave_no_seam_where_memory_is_short(visit, irn, files):
    made(irn, "downscale", "wide.png", "--scale", 2, "-o", "small.png")
    visit.browser.evaluate("Object.defineProperty(navigator, 'deviceMemory', { value: 0.07 })")
    visit.choose(files / "small.png")
    visit.until("document.querySelector('progress').value === 0.5")
    visit.settled(1)
    made(irn, "upscale", "small.png", "--temperature", 0, "-o", "expected.png")
    assert same(visit.save("small.png"), files / "expected.png")


def test_detail_is_drawn_as_the_command_draws_it(visit, irn, files):
    made(irn, "downscale", "plain.png", "--scale", 2, "-o", "small.png")
    visit.choose(files / "small.png")
    visit.settled(1)
    visit.browser.evaluate("document.querySelector('.draw input[value=\"1\"]').click()")
    visit.browser.evaluate("document.querySelector('.seed input').value = '18446744073709551615'")
    visit.browser.evaluate("document.querySelector('form button').click()")
    visit.until("!document.querySelector('.work').hidden")
    visit.settled(1)
    made(irn, "upscale", "small.png", "--seed", 2**64 - 1, "-o", "expected.png")
    made(irn, "upscale", "small.png", "--temperature", 0, "-o", "plain_z.png")
    path = visit.save("small.png")
    assert same(path, files / "expected.png")
    assert not np.array_equal(values(path), values(files / "plain_z.png"))


def test_what_is_wrong_is_said_in_the_words_of_the_command(visit, irn, files, site):
    made(irn, "downscale", "plain.png", "--scale", 2, "-o", "good.png")
    made(irn, "downscale", "plain.png", "--scale", 2, "--model", site.other, "-o", "other.png")
    data = (files / "good.png").read_bytes()
    (files / "cut.png").write_bytes(data[: len(data) // 2])
    (files / "words.png").write_text("not an image")
    with Image.open("good.png") as image:
        edited = np.array(image)
        edited[3:9, 3:9] = 255
        packet = image.info["XML:com.adobe.xmp"]
    _with_packet(edited, packet, files / "edited.png")
    names = ["plain.png", "cut.png", "words.png", "other.png", "edited.png"]
    visit.choose(*(files / name for name in names))
    said = visit.settled(len(names))
    for name, words in {
        "plain.png": "no irn tag: irn did not make this file, or it was stripped",
        "other.png": "made by the model 'other' (weights ",
        "edited.png": "the pixels were changed since irn wrote them: fine detail cannot be",
        "cut.png": "damaged",
    }.items():
        outcome = irn("upscale", name, "-o", f"no_{name}", "--temperature", 0)
        assert words in outcome.err, outcome.err
        assert words[1:] in said[name], said[name]
    assert "Not a PNG or JPEG" in said["words.png"]
    assert "--model other" in said["other.png"]
    assert "Save PNG" in said["edited.png"]
    assert [name for name in names if "Save PNG" in said[name]] == ["edited.png"]


def _with_packet(pixels, packet, path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    Image.fromarray(pixels).save(path, pnginfo=info)


def test_an_image_that_is_too_large_is_refused_with_the_largest_size(visit, small):
    visit.browser.evaluate("Object.defineProperty(navigator, 'deviceMemory', { value: 0.01 })")
    visit.choose(small)
    said = visit.settled(1)["small.png"]
    assert "280x80 pixels" in said
    assert "this browser has memory for about 0 megapixels" in said
    assert "irn upscale" in said


def test_it_works_without_a_network_once_it_is_ready(browser, site, small, tmp_path):
    (tmp_path / "saved").mkdir()
    visit = Visit(browser, tmp_path / "saved")
    with served(site.folder) as address:
        visit.open(address)
        visit.until("document.getElementById('offline').textContent.startsWith('Ready')")
    visit.open(address)
    visit.choose(small)
    said = visit.settled(1)["small.png"]
    assert "Save PNG" in said
    asked = {url for url in browser.requests() if not url.startswith("blob:")}
    assert all(url.startswith(address) for url in asked), asked


def test_a_new_version_replaces_the_old_one(browser, site, files):
    shutil.copytree(site.folder, "changing")
    visit = Visit(browser, files)
    with served("changing") as address:
        visit.open(address)
        for name, old, new in (
            ("index.html", "Restore a small image", "Bring it back"),
            ("files.js", '"index.html": "', '"index.html": "0'),
        ):
            path = files / "changing" / name
            path.write_text(path.read_text().replace(old, new))
        browser.visit(f"{address}/")
        visit.until("document.title.startsWith('Bring it back')")


def test_files_are_taken_one_after_another_and_can_be_cancelled(visit, irn, small):
    made(irn, "downscale", "wide.png", "--scale", 2, "-o", "slow.png")
    visit.drop("a.png", small.with_name("slow.png").read_bytes())
    visit.drop("b.png", small.read_bytes(), event="paste")
    visit.until("document.querySelectorAll('.work:not([hidden])').length === 2")
    assert "Waiting" in visit.text(".card:last-child .doing")
    visit.browser.evaluate("document.querySelector('.cancel').click()")
    said = visit.settled(2)
    assert "Cancelled." in said["a.png"]
    assert "Save PNG" in said["b.png"]
    assert "restored" in visit.text("#status")
    visit.browser.evaluate("document.querySelector('.retry').click()")
    visit.until("!document.querySelector('.card .work').hidden")
    assert "Save PNG" in visit.settled(2)["a.png"]
    visit.clear()
    assert visit.browser.evaluate("document.activeElement.id") == "files"


@pytest.mark.parametrize("button", ["cancel", "remove"])
def test_a_file_is_left_alone_that_is_cancelled_while_it_is_read(visit, small, button):
    visit.browser.evaluate("""(() => {
      const read = Blob.prototype.arrayBuffer;
      const held = new Promise((resolve) => { window.goOn = resolve; });
      Blob.prototype.arrayBuffer = async function () { await held; return read.call(this); };
      window.workers = 0;
      window.Worker = class extends Worker {
        constructor(...given) { super(...given); window.workers++; }
      };
    })()""")
    visit.choose(small)
    visit.until("document.querySelector('.doing').textContent === 'Reading'")
    visit.browser.evaluate(f"document.querySelector('.{button}').click()")
    visit.browser.evaluate("goOn()")
    visit.until("document.getElementById('status').textContent.endsWith(': cancelled')")
    assert visit.browser.evaluate("workers") == 0
    said = visit.settled(0 if button == "remove" else 1)
    assert button == "remove" or "Cancelled." in said["small.png"]


def test_files_that_a_server_changes_are_not_ready_without_a_network(browser, site, files):
    shutil.copytree(site.folder, "changed")
    (files / "changed" / "ort" / "LICENSE").write_text("changed on the way")
    visit = Visit(browser, files)
    with served("changed") as address:
        visit.open(address)
        visit.until(
            "(async () => (await (await caches.open((await caches.keys())[0])).keys()).length"
            " === (await (await fetch('models.json')).json()).files.filter("
            "(name) => !/webgpu|asyncify/.test(name)).length - 2)()"
        )
        visit.browser.pixels()  # a message of the service worker would have come
        assert visit.text("#offline") == ""


def test_keys_move_the_divider_and_readers_hear_names(visit, small):
    visit.choose(small)
    visit.settled(1)
    visit.browser.evaluate("document.querySelector('.divider').focus()")
    for key, code in (("ArrowRight", 39), ("ArrowRight", 39), ("PageUp", 33)):
        visit.browser.press(key, code)
    said = "document.querySelector('.divider').getAttribute('aria-valuetext')"
    assert visit.browser.evaluate(said) == "Bicubic 62 %, Restored 38 %"
    nodes = visit.browser("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "radio", "textbox", "link", "image", "progressbar", "article")
    found = [(each["role"]["value"], each.get("name", {}).get("value")) for each in nodes
             if not each["ignored"]]  # fmt: skip
    named = [pair for pair in found if pair[0] in roles]
    assert {role for role, _ in named} >= {"button", "slider", "radio", "link", "article"}
    assert all(name for _, name in named), named


@pytest.mark.parametrize("zoom", ["fit", "4"])
def test_the_images_lie_on_each_other_and_fit_a_phone(visit, small, address, zoom):
    visit.open(address, **NARROW)
    visit.choose(small)
    visit.settled(1)
    visit.browser.evaluate(f"document.querySelector('.zoom input[value=\"{zoom}\"]').click()")
    visit.browser.pixels()
    assert visit.browser.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    boxes = [visit.browser.box(f".whole.{kind}") for kind in ("bicubic", "restored")]
    assert boxes[0] == boxes[1]
    assert boxes[0][2] == (4 * 280 if zoom == "4" else visit.browser.box(".mat")[2])
    left, _, width, _ = visit.browser.box(".mat")
    assert abs(visit.browser.box(".handle")[0] + 1 - (left + width / 2)) <= 1


def test_the_policy_holds_in_the_page_and_in_its_worker(visit):
    code = "fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.message)"
    visit.browser.evaluate(code)
    policies = "(async () => (await fetch('worker.js')).headers.get('Content-Security-Policy'))()"
    assert visit.browser.evaluate(policies).startswith("default-src 'none'")
    refused = [str(each) for each in visit.browser.complaints()]
    assert any("Content Security Policy" in each for each in refused)


def test_from_a_file_it_says_how_to_serve_it(browser, site):
    browser.open(site.folder / "index.html")
    shown = "document.getElementById('stuck').checkVisibility({ visibilityProperty: true })"
    visit = Visit(browser, site.folder.parent)
    visit.until(shown)
    assert "python3 -m http.server" in visit.text("#stuck")


def test_a_photograph_of_the_page_is_bright_and_dark(visit):
    means = []
    for scheme in ("light", "dark"):
        # Without motion, colours change at once.
        emulated = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in emulated.items()]
        visit.browser("Emulation.setEmulatedMedia", features=features)
        means.append(visit.browser.pixels().mean())
    visit.browser("Emulation.setEmulatedMedia", features=[])
    assert means[0] > 200 > 60 > means[1]
