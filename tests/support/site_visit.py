"""A visit of the page that `irn page` writes, as a person makes it."""

import base64
import json
import time
from pathlib import Path

from tests.support.browser import PATIENCE_SECONDS


class Visit:
    """The page in a browser.

    Args:
        browser: the browser.
        downloads: folder for what is saved.
    """

    def __init__(self, browser, downloads):
        self.browser = browser
        self._downloads = Path(downloads)
        browser("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def open(self, address, **size):
        """Go there, and wait until the page is settled: its service worker loads it once more."""
        self.browser.visit(f"{address}/", **size)
        self.until("crossOriginIsolated && document.getElementById('models').textContent")

    def until(self, expression, seconds=PATIENCE_SECONDS):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                found = self.browser.evaluate(expression)
            except AssertionError:  # a page that is being loaded again
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never came: {expression}; the page: {self.text()}")

    def text(self, selector="body"):
        """What is to be read."""
        return self.browser.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText")

    def choose(self, *paths):
        """Choose files by the button."""
        document = self.browser("DOM.getDocument")["root"]["nodeId"]
        node = self.browser("DOM.querySelector", nodeId=document, selector="#files")["nodeId"]
        self.browser("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop(self, name, data, event="drop"):
        """Drop or paste a file."""
        kind, holder = {
            "drop": ("DragEvent", "dataTransfer"),
            "paste": ("ClipboardEvent", "clipboardData"),
        }[event]
        text = base64.b64encode(data).decode()
        self.browser.evaluate(f"""(() => {{
          const bytes = Uint8Array.from(atob("{text}"), (c) => c.charCodeAt(0));
          const {holder} = new DataTransfer();
          {holder}.items.add(new File([bytes], {json.dumps(name)}));
          const options = {{ {holder}, bubbles: true, cancelable: true }};
          document.body.dispatchEvent(new {kind}("{event}", options));
        }})()""")

    def settled(self, count, seconds=PATIENCE_SECONDS):
        """Wait until this number of files is restored or refused; what is said of each, by name."""
        cards = "[...document.querySelectorAll('.card')]"
        self.until(
            f"{cards}.length === {count} && {cards}.every((card) => "
            "card.querySelector('.work').hidden)",
            seconds,
        )
        said = self.browser.evaluate(f"{cards}.map((card) => [card.ariaLabel, card.innerText])")
        return dict(said)

    def save(self, name):
        """Press the button that saves the result of a file; the file that the browser writes."""
        before = set(self._downloads.iterdir())
        self.browser.evaluate(
            f"[...document.querySelectorAll('.card')].find((card) => card.ariaLabel === "
            f"{json.dumps(name)}).querySelector('.save').click()"
        )
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            new = [
                path for path in set(self._downloads.iterdir()) - before if path.suffix == ".png"
            ]
            if new:
                return new[0]
            time.sleep(0.02)
        raise AssertionError(f"{name} was not saved")

    def clear(self):
        """Remove all files."""
        self.browser.evaluate(
            "document.querySelectorAll('.card .remove').forEach((button) => button.click())"
        )
