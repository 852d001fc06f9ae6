"""A standing irn, which has loaded torch already and makes every command by a fork of itself.

    python standing.py SOCKET

Loading torch takes two seconds, and the documents have more than a hundred commands. Each is still
a process of its own, with its own arguments, directory, environment and streams.
"""

import atexit
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import contextmanager
from subprocess import PIPE, Popen

CLIENT = """#!{python} -IS
import json, os, socket, sys
irn = socket.socket(socket.AF_UNIX)
irn.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(irn, [request[:1]], [0, 1, 2])
irn.sendall(request[1:])
irn.shutdown(socket.SHUT_WR)
sys.exit(int(irn.recv(9) or 70))
"""


@contextmanager
def standing_irn():
    """Start one; gives the text of an executable that hands its command over to it."""
    with tempfile.TemporaryDirectory(prefix="irn-standing-") as folder:
        address = f"{folder}/irn"
        command = [sys.executable, __file__, address]
        with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            yield CLIENT.format(python=sys.executable, address=address)
            process.terminate()


def serve(address):
    """Answer until this process is ended; only its forks return, to run a command and end."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listener.accept()
            if not os.fork():
                break
            caller.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    first, streams, _, _ = socket.recv_fds(caller, 1, 3)
    arguments, folder, environment = json.loads(first + caller.makefile("rb").read())
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        code = os.waitstatus_to_exitcode(status)
        caller.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["irn", *arguments]


def end(status):
    """End a fork as the interpreter does, except that it does not take all modules apart.

    That would take longer than most commands, and copy the memory that the forks share. Threads are
    waited for, exit handlers run, and the streams are flushed, where an error shows.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    # torch._dynamo, which optimisers load, would load Triton. At the end of a process, Triton would
    # complain of objects that main() has frozen.
    sys.modules["triton"] = None
    import torch
    import torch._dynamo  # what is not used here is loaded for the forks

    del sys.modules["triton"]
    import irncli.api
    import irncli.cli.app
    import irncli.train.loop
    from irncli.__main__ import main

    irncli.cli.app.program()  # imports every command
    torch.set_num_threads(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    serve(sys.argv[1])
    try:
        main()
    except SystemExit as ended:
        end(ended.code)
