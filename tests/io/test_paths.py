"""Files: whole or not at all, and never one over another."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.errors import ImageError, InputMissingError, OutputError, StorageError, UsageError
from irncli.io.inputs import expand_inputs, images_in
from irncli.io.paths import STREAM, atomic_write, plan_outputs, read_input


def test_writes_all_and_leaves_nothing_else(tmp_path):
    atomic_write(tmp_path / "a", b"one", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]


def test_an_existing_file_is_kept_without_overwrite(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        atomic_write(tmp_path / "a", b"new", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"old"
    atomic_write(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_dangling_link_counts_as_existing(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError):
        atomic_write(tmp_path / "a", b"new", overwrite=False)
    assert not (tmp_path / "nowhere").exists()


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a").write_bytes(b"old")
    (tmp_path / "a").symlink_to(Path("far") / "a")
    with pytest.raises(OutputError, match="--overwrite"):
        atomic_write(tmp_path / "a", b"new", overwrite=False)
    atomic_write(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "far" / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path / "far") == ["a"]


def test_a_loop_of_links_is_no_output(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StorageError):
        read_input(tmp_path / "a")
    assert plan_outputs([tmp_path / "a"], [tmp_path / "c"]) == [(tmp_path / "a", tmp_path / "c")]
    with pytest.raises(OutputError):
        atomic_write(tmp_path / "a", b"new", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets in directories")
def test_what_is_no_file_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with closing(socket.socket(socket.AF_UNIX)) as place:
        place.bind("s")
    (tmp_path / "d").mkdir()
    for name in ("s", "d"):
        with pytest.raises(OutputError, match="is not a regular file"):
            atomic_write(tmp_path / name, b"new", overwrite=True)
    assert (tmp_path / "s").is_socket()
    assert (tmp_path / "d").is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("overwrite", [False, True])
def test_pipes_are_written_to_and_stay(tmp_path, overwrite):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    data = bytes(200_000)
    atomic_write(pipe, data, overwrite=overwrite)
    reader.join()
    assert read == [data]
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="no devices")
def test_devices_are_written_to_and_never_read():
    atomic_write(Path("/dev/null"), b"data", overwrite=False)
    assert Path("/dev/null").is_char_device()
    with pytest.raises(ImageError, match="a device"):
        read_input(Path("/dev/zero"))


def test_long_and_unicode_names(tmp_path):
    for name in ("ü✓ 日本.png", "x" * 240 + ".png"):
        atomic_write(tmp_path / name, b"1", overwrite=False)
        assert (tmp_path / name).read_bytes() == b"1"


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "a", tmp_path / "file" / "a"):
        with pytest.raises(OutputError, match="cannot create"):
            atomic_write(path, b"1", overwrite=False)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError):
        atomic_write(tmp_path / "folder", b"1", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_directory_that_is_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission"):
        atomic_write(tmp_path / "a", b"1", overwrite=False)


def child(code, *arguments, **options):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **options)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, overwrite):
    if overwrite:
        (tmp_path / "a").write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from irncli.io.paths import atomic_write; from irncli.errors import StorageError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));\n"
        "try: atomic_write(Path(sys.argv[1]), bytes(5000), overwrite=sys.argv[2] == 'True')\n"
        "except StorageError: sys.exit(74)"
    )
    assert child(code, tmp_path / "a", overwrite).wait() == 74
    assert os.listdir(tmp_path) == (["a"] if overwrite else [])
    assert not overwrite or (tmp_path / "a").read_bytes() == b"old"


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    code = (
        "import os, sys, time; from pathlib import Path; from irncli.io import paths;"
        "os.fsync = lambda n: (print('now', flush=True), time.sleep(60));"
        "paths.atomic_write(Path(sys.argv[1]), bytes(100_000), overwrite=True)"
    )
    process = child(code, tmp_path / "a", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "a").read_bytes() == b"old"
    atomic_write(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_of_many_writers_one_wins_and_no_file_is_mixed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from irncli.io.paths import atomic_write;"
        "from irncli.errors import OutputError\n"
        "try: atomic_write(Path(sys.argv[1]), sys.argv[2].encode() * 1000, overwrite=False)\n"
        "except OutputError: sys.exit(73)"
    )
    writers = [child(code, tmp_path / "a", k) for k in range(4)]
    assert sorted(writer.wait() for writer in writers) == [0, 73, 73, 73]
    assert len(set((tmp_path / "a").read_bytes())) == 1
    time.sleep(0)
    assert os.listdir(tmp_path) == ["a"]


def test_reading(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for path, error in (
        (tmp_path / "none", InputMissingError),
        (tmp_path / "empty" / "below", InputMissingError),
        (tmp_path / "empty", ImageError),
        (tmp_path, ImageError),
        (Path("a\0b"), StorageError),
    ):
        with pytest.raises(error):
            read_input(path)


def test_directories_give_their_pictures_by_name(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    found = [each.path for each in expand_inputs([STREAM, tmp_path, tmp_path / "missing.png"])]
    assert found == [STREAM, tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "missing.png"]
    with pytest.raises(InputMissingError, match="no images"):
        images_in(tmp_path / "sub")


names = st.lists(st.from_regex(r"[a-c]{1,2}", fullmatch=True), min_size=1, max_size=6)


@given(names)
def test_outputs_are_refused_exactly_when_two_would_be_one(inputs):
    paths = [Path("in") / name for name in inputs]
    if len(set(inputs)) == len(inputs):
        pairs = plan_outputs(paths, [Path("out") / path.name for path in paths])
        assert [str(output) for _, output in pairs] == [f"out/{name}" for name in inputs]
    else:
        with pytest.raises(UsageError, match=r"would (both|all) become"):
            plan_outputs(paths, [Path("out") / path.name for path in paths])


def test_inputs_that_are_left_out_have_no_output_and_only_those_with_one_output_are_asked_about():
    paths, asked = [Path(name) for name in ("a.jpg", "a.png", "b.png")], []

    def left_out(path):
        asked.append(path)
        return path == paths[0]

    outputs = [Path("out") / path.stem for path in paths]
    assert plan_outputs(paths, outputs, left_out) == list(zip(paths, outputs, strict=True))
    assert asked == paths[:2]


def test_an_output_that_is_an_input_is_refused_under_any_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    for name in ("a.png", "link.png", "hard.png", "../" + tmp_path.name + "/a.png"):
        with pytest.raises(UsageError, match="is an input"):
            plan_outputs([tmp_path / "a.png"], [tmp_path / name])
