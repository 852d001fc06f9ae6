"""Batches over a cluster: what a worker makes, and a cluster of two nodes, one of which is killed.

The tests of the first part need no Ray.
"""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from irncli import __version__
from irncli.batch import worker
from irncli.batch.cluster import _RAY_ENVIRONMENT, Layout, _connect, _Pool, layout_of
from irncli.batch.console import Console, Record
from irncli.batch.jobs import Job, Tools
from irncli.batch.progress import Progress
from irncli.batch.settings import BatchSettings
from irncli.errors import ImageError, UnavailableError
from irncli.operations.downscale import Downscale
from irncli.operations.models import Models
from irncli.zoo.checkpoint import Card, serialise
from irncli.zoo.model_bundle import pack
from irncli.zoo.registry import Registry
from tests.support.networks import SMALL, shaken
from tests.support.places import ROOT

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or sys.platform == "win32",
    reason="Ray is not installed: pip install 'irncli[ray]'",
)
FILES = 8


@pytest.fixture(scope="module")
def place():
    """A folder with a tiny model and images that take it a moment; short, for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="irn-ray-") as folder:
        place = Path(folder)
        tiny = serialise(shaken(SMALL["irn-x4"]), Card(name="tiny"))
        (place / "models").mkdir()
        (place / "models" / "tiny.safetensors").write_bytes(tiny)
        (place / "in").mkdir()
        for n in range(FILES):
            values = np.random.default_rng(n).integers(0, 256, (256, 192, 3), dtype=np.uint8)
            Image.fromarray(values).save(place / "in" / f"{n}.png")
        (place / "in" / "bad.png").write_bytes(b"no image")
        yield place


def common(**changed):
    return BatchSettings(
        **({"device": "cpu", "max_pixels": 10**6, "inputs": [Path("x")]} | changed)
    )


def ordered(job_model, registry, **changed):
    """An order and models as a worker gets them."""
    tools = Tools(Console(), Models("cpu", registry=registry), Progress(), common(**changed))
    job = Job(Downscale(scale=4, model=job_model), tools)
    sent = worker.spec_of(job, "cpu", 1), pack(registry, job.operation.named)
    return pickle.loads(pickle.dumps(sent))


@pytest.mark.parametrize("by_path", [False, True])
def test_a_worker_makes_what_is_made_here(irn, place, tmp_path, by_path):
    model = place / "models" / "tiny.safetensors"
    registry = Registry(tmp_path / "none", tmp_path / "none" if by_path else place / "models")
    spec, bundle = ordered(str(model) if by_path else "tiny", registry)
    assert spec.options.inputs is None
    # On the worker the path of the model leads nowhere.
    moved = {**bundle.paths}
    if by_path:
        moved = {"/gone/tiny.safetensors": moved[str(model)]}
        operation = replace(spec.operation, model="/gone/tiny.safetensors")
        spec = replace(spec, operation=operation)
    converter = worker.FileConverter(
        spec, type(bundle)(bundle.files, moved).unpack(tmp_path / "there")
    )
    data = (place / "in" / "0.png").read_bytes()
    made = converter.make(Record("0.png", "out.png"), "png", data)
    words = ("--model", model, "--scale", 4, "--device", "cpu", "--json")
    local = irn("downscale", place / "in" / "0.png", *words, "-o", tmp_path / "here.png")
    assert made.data == (tmp_path / "here.png").read_bytes()
    (record,) = map(json.loads, local.out.splitlines())
    ours = json.loads(json.dumps(made.record.as_json()))
    on_the_machine_of_the_user = {"input", "output", "seconds", "bytes_out"}
    assert {k: v for k, v in record.items() if k not in on_the_machine_of_the_user} == {
        k: v for k, v in ours.items() if k not in on_the_machine_of_the_user
    }


def test_what_irn_refuses_comes_back_as_a_result(place, tmp_path):
    spec, bundle = ordered("tiny", Registry(tmp_path, place / "models"), debug=True)
    converter = worker.FileConverter(spec, bundle.unpack(tmp_path / "there"))
    made = pickle.loads(pickle.dumps(converter.make(Record("bad.png"), "png", b"no image")))
    assert isinstance(made.error, ImageError)
    assert made.data == b""
    assert "Traceback" in made.error.__notes__[0]  # of --debug
    spec, bundle = ordered("other", Registry(tmp_path, place / "models"))
    data = (place / "in" / "0.png").read_bytes()
    made = worker.FileConverter(spec, bundle.unpack(tmp_path / "there")).make(
        Record("0"), "png", data
    )
    assert isinstance(made.error, UnavailableError)
    assert "available: tiny" in str(made.error)


def test_workers_are_of_the_size_of_the_cluster():
    assert layout_of([{"CPU": 16}, {"CPU": 6.5}], "auto") == Layout(workers=5, cpus=4)
    assert layout_of([{"CPU": 2}, {"CPU": 5}, {}], "cpu") == Layout(workers=3, cpus=2)
    assert layout_of([{"CPU": 16}, {"CPU": 6.5}], "auto", 3) == Layout(workers=7, cpus=3)
    nodes = [{"CPU": 8, "GPU": 2}, {"CPU": 8}, {"CPU": 8, "GPU": 1}]
    assert layout_of(nodes, "auto") == Layout(workers=3, cpus=1, gpus=1)
    assert layout_of(nodes, "cuda").device == "cuda"
    assert layout_of(nodes, "cpu").device == "cpu"
    with pytest.raises(UnavailableError, match="no GPU"):
        layout_of([{"CPU": 8}], "cuda")
    with pytest.raises(UnavailableError, match="no CPU"):
        layout_of([{"GPU": 0}], "auto")
    with pytest.raises(UnavailableError, match=r"--threads 9: .* more than 8 CPUs"):
        layout_of([{"CPU": 8}], "auto", 9)


def test_without_ray_it_is_said_what_to_install(irn, place, tmp_path, monkeypatch):
    monkeypatch.setattr("irncli.batch.plan.find_spec", lambda name: None)
    result = irn("downscale", place / "in", "--scale", 4, "--ray", "auto", "--output-dir", tmp_path)
    assert result.status == 69
    assert result.lines == ["irn: --ray needs Ray: pip install 'irncli[ray]', on every machine"]


def test_ray_client_is_refused(irn, place):
    result = irn("downscale", place / "in", "--scale", 4, "--ray", "ray://127.0.0.1:10001")
    assert result.status == 2
    assert "expected auto, local or HOST:PORT" in result.err


def test_ray_chooses_among_devices(irn, place):
    result = irn("downscale", place / "in", "--scale", 4, "--ray", "auto", "--device", "cuda:1")
    assert result.status == 2
    assert "expected auto, cpu or cuda" in result.err


class Hand:
    """Of a fake cluster: a worker, whose calls are what they give."""

    def __init__(self, version):
        self.version, self.begin = Call(version), Call(None)


class Call:
    def __init__(self, value):
        self.value = value

    def remote(self, *arguments):
        return self

    def future(self):
        future = Future()
        future.set_result(None)
        return future


class Lost(Exception):
    actor_init_failed = True


class FakeRay:
    """Hands out workers that are here at once, with what they say of their version."""

    exceptions = SimpleNamespace(
        RayActorError=Lost, ObjectLostError=Lost, RayTaskError=KeyError, RayError=Lost
    )

    def __init__(self, *versions):
        self.versions, self.killed = iter(versions), []
        self.put, self.kill = lambda value: value, self.killed.append

    def remote(self, **needs):
        return lambda kind: SimpleNamespace(remote=lambda: Hand(next(self.versions)))

    def wait(self, calls, timeout):
        return calls, []

    def get(self, call):
        if isinstance(call.value, Exception):
            raise call.value
        return call.value


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("0.0.1", f"irn 0.0.1, expected {__version__}"),
        (Lost("traceback\nModuleNotFoundError: No module named 'irncli'"), "pip install"),
    ],
)
def test_workers_of_another_version_are_of_no_use(place, tmp_path, capsys, first, said):
    registry = Registry(tmp_path, place / "models")
    tools = Tools(Console(), Models("cpu", registry=registry), Progress(), common())
    job = Job(Downscale(scale=4, model="tiny"), tools)
    with pytest.raises(UnavailableError, match="no worker of the cluster can be used") as refusal:
        _Pool(FakeRay(first, first), job, Layout(workers=2, cpus=1)).open(9)
    assert said in str(refusal.value)
    assert capsys.readouterr().err.count(said) == 1
    ray = FakeRay(first, __version__)
    pool = _Pool(ray, job, Layout(workers=2, cpus=1))
    assert len(pool.open(9)) == 2
    assert len(ray.killed) == 1
    assert pool.take().version.value == __version__


def environment(place):
    """Of a user on every machine of the cluster, without what an outer Ray may have set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "XDG_DATA_HOME": str(place / "data"), "OMP_NUM_THREADS": "1"}


def command(place, out, *more, irn=(sys.executable, "-m", "irncli")):
    words = ["downscale", place / "in", "--model", place / "models" / "tiny.safetensors"]
    words += ["--scale", 4, "--guard", "off", "--output-dir", place / out, "--json", *more]
    return [*irn, *map(str, words)]


def call(irn, place, *words):
    return subprocess.run(
        command(place, *words, irn=[irn]), env=environment(place), capture_output=True, text=True
    )


@contextmanager
def cluster(place):
    """Of two nodes; gives its process and its address."""
    script = [sys.executable, ROOT / "tests" / "support" / "ray_cluster.py", place]
    with (
        (place / "troubles").open("w") as troubles,
        subprocess.Popen(
            script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(place), stderr=troubles,
        ) as process,
    ):  # fmt: skip
        try:
            address = process.stdout.readline().strip()
            assert address, (place / "troubles").read_text()
            yield process, address
        finally:
            process.stdin.close()
            process.wait(60)


def records(text):
    found = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in record.items() if k not in ("seconds", "output")} for record in found]


@contextmanager
def begun(place, *words):
    """A batch whose first file is over: its process, and what it has said and will say."""
    with (
        (place / "said").open("w") as said,
        subprocess.Popen(
            command(place, *words), env=environment(place), text=True,
            stdout=subprocess.PIPE, stderr=said,
        ) as process,
    ):  # fmt: skip
        lines = [process.stdout.readline()]
        assert lines[0], (place / "said").read_text()
        yield process, lines
        lines += process.stdout.readlines()


@needs_ray
@pytest.mark.slow
def test_a_cluster_of_which_a_node_is_killed(place, quick_irn):
    local = call(quick_irn, place, "local")
    assert local.returncode == 1, local.stderr  # of the image that is none
    with cluster(place) as (nodes, address):
        with begun(place, "spread", "--ray", address) as (batch, lines):
            nodes.stdin.write("\n")
            nodes.stdin.flush()
            assert nodes.stdout.readline() == "killed\n"
        assert batch.returncode == 1
        said = (place / "said").read_text().splitlines()
        # A busy machine takes its time to give room to the next worker, and that is said.
        waiting = "irn: waiting for free resources in the cluster"
        died = {
            "irn: a worker died; retrying its file on another",
            "irn: a worker died while starting; starting another",
        }
        new = set(said) - set(local.stderr.splitlines()) - {waiting}
        assert new
        assert new <= died
        assert records("".join(lines)) == records(local.stdout)
        for path in (place / "local").iterdir():
            assert (place / "spread" / path.name).read_bytes() == path.read_bytes()
        assert len(list((place / "spread").iterdir())) == FILES
        # On the node that is left: what is there is skipped, and SIGTERM ends it.
        again = call(quick_irn, place, "spread", "--ray", address, "--skip-existing")
        assert f"irn: already done: {FILES} of {FILES + 1}" in again.stderr
        with begun(place, "ended", "--ray", address) as (batch, _):
            batch.send_signal(signal.SIGTERM)
        assert batch.returncode == 143
        last = (place / "said").read_text().splitlines()[-1]
        assert last == "irn: terminated; no incomplete file is left"
        assert {path.suffix for path in (place / "ended").iterdir()} == {".png"}


@needs_ray
@pytest.mark.parametrize(
    ("address", "said"), [("auto", "nothing listens there"), ("what", "Invalid address")]
)
def test_where_there_is_no_cluster(place, quick_irn, address, said):
    # Left alone, auto finds whatever cluster runs on the machine of the tests.
    result = subprocess.run(
        command(place, "nothing", "--ray", address, irn=[quick_irn]),
        env={**environment(place), "RAY_ADDRESS": "127.0.0.1:1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 69
    (line,) = result.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("whatever"), "--ray auto: no cluster answers: 'ray start --head' starts"),
        (RuntimeError("Version\n mismatch: Ray 2.1"), "--ray auto: Version mismatch: Ray 2.1"),
    ],
)
def test_what_ray_says_becomes_a_line(monkeypatch, error, said):
    def init(**options):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as it takes it
        raise error

    private = SimpleNamespace(worker=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init, _private=private))
    monkeypatch.setitem(sys.modules, "ray._private", private)
    for name in _RAY_ENVIRONMENT:
        monkeypatch.setenv(name, "")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(UnavailableError, match=said):
        _connect("auto")
    assert signal.getsignal(signal.SIGTERM) == before
