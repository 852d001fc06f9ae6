"""A real browser without a window, driven through a pipe: what it shows, and what it asks for."""

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time

import numpy as np
from PIL import Image

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--force-device-scale-factor=1", "--remote-debugging-pipe"),
)
PATIENCE_SECONDS = 60


class BrowserError(Exception):
    """It does not start, or has ended."""


def find_browser():
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page in one browser, over the DevTools protocol: JSON messages that end with NUL.

    Args:
        program: path of a Chromium.
        profile: an empty folder.
    """

    def __init__(self, program, profile):
        there, self._output = os.pipe()
        self._input, back = os.pipe()
        # The protocol is spoken on descriptors 3 and 4.
        command = f'exec "$@" 3<&{there} 4>&{back}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(there, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        self._buffer, self._count, self._session = b"", 0, None
        self.events = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self(f"{domain}.enable")

    def close(self):
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._output)
        os.close(self._input)

    def __call__(self, method, **parameters):
        """The result of a command of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._output, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            raise BrowserError("it has ended") from error
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0:
                raise BrowserError("it says nothing")
            if select.select([self._input], [], [], left)[0]:
                data = os.read(self._input, 1 << 20)
                if not data:
                    raise BrowserError("it has ended")
                self._buffer += data
        first, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(first)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, path, width=1200, height=900):
        """Show a file, to its end."""
        self.visit(path.as_uri(), width, height)
        self.evaluate("Promise.all([...document.images].map((image) => image.decode()))")

    def visit(self, url, width=1200, height=900):
        """Go to an address, until all that it names is loaded."""
        self.events.clear()
        self("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=1, mobile=False)  # fmt: skip
        self("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._receive()

    def evaluate(self, expression):
        """What a script in the page gives."""
        answer = self("Runtime.evaluate", expression=expression, awaitPromise=True,
                      returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def box(self, selector):
        """Left, top, width and height of an element, in whole pixels."""
        found = self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })()"
        )
        return [round(value) for value in found]

    def pixels(self):
        """What is seen, uint8 [H, W, 3]."""
        # Two frames later all is painted.
        self.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        data = base64.b64decode(self("Page.captureScreenshot", format="png")["data"])
        return np.array(Image.open(io.BytesIO(data)).convert("RGB"))

    def click(self, x, y):
        """With the pointer."""
        self.drag((x, y), (x, y))

    def drag(self, start, end):
        """From one place to another, with the pointer's button down."""
        for kind, (x, y), buttons in (
            ("mousePressed", start, 1),
            ("mouseMoved", end, 1),
            ("mouseReleased", end, 0),
        ):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons,
                 clickCount=1)  # fmt: skip

    def press(self, key, code):
        """A key: its name and its Windows code, as the protocol wants them."""
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def requests(self):
        """Addresses that were asked for since `open`, but for what lay in the page."""
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [r["request"]["url"] for r in sent if not r["request"]["url"].startswith("data:")]

    def failures(self):
        """Complaints that are no mere warnings."""
        levels = [each.get("entry", {}).get("level", "error") for each in self.complaints()]
        return [
            each
            for each, level in zip(self.complaints(), levels, strict=True)
            if level not in ("verbose", "info", "warning")
        ]

    def complaints(self):
        """Exceptions, refusals and whatever else it says of the page since `open`."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event["params"] for event in self.events if event["method"] in kinds]
