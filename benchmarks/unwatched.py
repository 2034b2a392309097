"""A page of Chromium that Playwright does not watch, for measuring memory.

Playwright listens to the network of each page and worker that it drives, and Chromium keeps what a
listener might still ask for: the bodies of answers, here the masks that the page's worker fetches.
Nobody who inspects parts has such a listener, so its memory must not be taken for the page's.
"""

import json
import time
from pathlib import Path
from typing import Any

from people import DESKTOP
from playwright.sync_api import Browser

# Between two looks at whether something has happened.
PAUSE = 0.1


class Unwatched:
    """Somebody with the page open in a browser of their own, whom nobody listens to.

    Playwright lets go of pages in contexts that it did not make itself; this one is driven by plain
    messages of the DevTools protocol.

    Args:
        browser: Where; each person has their own cookies and cache.
        url: Address of the page.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser.new_browser_cdp_session()
        self._browser.on("Target.receivedMessageFromTarget", self._received)
        self._answers: dict[int, dict[str, Any]] = {}
        self._sent = 0
        context = self._browser.send("Target.createBrowserContext")["browserContextId"]
        self._context = {"browserContextId": context}
        target = self._browser.send(
            "Target.createTarget", {"url": "about:blank"} | DESKTOP | self._context
        )
        # Not "flat": such a session's messages would be for Playwright, which does not know it.
        attached = {"targetId": target["targetId"], "flatten": False}
        self._session = self._browser.send("Target.attachToTarget", attached)["sessionId"]
        self._send("Page.navigate", {"url": url})
        # Samples listed and a checkpoint chosen: now a picture can be chosen.
        self._until("document.querySelector('[data-samples]')")
        self._until("document.querySelector('#sr-model')?.value")

    def choose(self, file: Path) -> None:
        """Choose a file of this machine and wait until its mask is drawn."""
        ready = "document.querySelector('.sr-inspect').dataset.ready"
        before = self._value(ready)
        chooser = self._evaluate("document.querySelector('#sr-image')", by_value=False)
        self._send("DOM.setFileInputFiles", {"files": [str(file)], "objectId": chooser["objectId"]})
        self._until(f"{ready} !== {json.dumps(before)}")
        if str(self._value(ready)).startswith("failed"):
            alert = self._value("document.querySelector('.sr-alert').textContent")
            raise SystemExit(f"no result: {alert}")

    def collect_garbage(self) -> float:
        """Empty the browser's cache, and return the MB that scripts of the page still hold."""
        self._send("HeapProfiler.collectGarbage")
        # Chromium's own, which it bounds: without a profile on disk it lies in memory.
        self._send("Network.clearBrowserCache")
        return float(self._send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def leave(self) -> None:
        """Close the browser."""
        self._browser.send("Target.disposeBrowserContext", self._context)
        self._browser.detach()

    def _until(self, expression: str) -> None:
        while not self._value(f"Boolean({expression})"):
            time.sleep(PAUSE)

    def _value(self, expression: str) -> str | bool | None:
        value: str | bool | None = self._evaluate(expression, by_value=True).get("value")
        return value

    def _evaluate(self, expression: str, *, by_value: bool) -> dict[str, Any]:
        wanted = {"expression": expression, "returnByValue": by_value}
        answer = self._send("Runtime.evaluate", wanted)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['text']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        self._sent += 1
        number = self._sent
        message = json.dumps({"id": number, "method": method, "params": parameters or {}})
        wrapped = {"message": message, "sessionId": self._session}
        self._browser.send("Target.sendMessageToTarget", wrapped)
        while number not in self._answers:
            # Playwright hands on what has arrived whenever it is asked for something.
            self._browser.send("Browser.getVersion")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _received(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if event["sessionId"] == self._session and "id" in message:
            self._answers[message["id"]] = message
