"""A headless Chromium, driven over the DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import signal
from asyncio.subprocess import DEVNULL
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from e2e.waiting import WAIT_SECONDS

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


class PageError(Exception):
    """A script of the page failed, or what was waited for did not happen."""


class Tab:
    """One page in the browser."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers = {}
        self.events = []
        """All events so far, as (method, parameters)."""

    async def listen(self):
        """Take answers and events until the socket is closed."""
        async for message in self._socket:
            document = json.loads(message.data)
            if "id" in document:
                self._answers.pop(document["id"]).set_result(document)
            else:
                self.events.append((document["method"], document["params"]))

    async def call(self, method, **parameters):
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(self._answers[number], 2 * WAIT_SECONDS)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def evaluate(self, expression):
        """Return the value of a JavaScript expression, also of a promise."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise PageError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression):
        """Wait until an expression is true on the page; return the page's clock then, in milliseconds since it was requested."""
        late = f"setTimeout(() => fail(new Error('not met within {WAIT_SECONDS} s')), {WAIT_SECONDS * 1000})"
        look = f"const look = () => ({expression}) ? done(performance.now()) : setTimeout(look, 5); look();"
        return await self.evaluate(f"new Promise((done, fail) => {{ {late}; {look} }})")

    async def open(self, url):
        """Go to a URL and wait until the document has loaded."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def press(self, key, text=""):
        """Press and release a key."""
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9}.get(key, ord(key[0].upper()))
        about = {"key": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else text}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    async def resize(self, width, height, *, scheme="light"):
        """Set the size of the page in pixels, and the colours that the system prefers."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def screenshot(self, path):
        """Write a picture of what is seen."""
        await asyncio.to_thread(
            path.write_bytes, base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])
        )

    def complaints(self):
        """Return what the browser complains of: errors of scripts, and what the page's policy forbids."""
        found = [params["exceptionDetails"] for method, params in self.events if method == "Runtime.exceptionThrown"]
        entries = [params["entry"] for method, params in self.events if method == "Log.entryAdded"]
        return [*found, *(entry for entry in entries if entry["level"] in {"error", "warning"})]

    def requested(self):
        """Return the URLs of all requests of the page."""
        return [params["request"]["url"] for method, params in self.events if method == "Network.requestWillBeSent"]


@asynccontextmanager
async def chromium(folder):
    """Start a browser with its profile in `folder`; yield its process, and a function that opens a tab."""
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *_OPTIONS,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
    try:
        port = await _port_in(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
            yield process, lambda: _tab(session, stack, port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its helpers, too
        await process.wait()


async def _port_in(file):
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            text = file.read_text() if file.exists() else ""
            if "\n" in text:
                return int(text.split("\n")[0])
            await asyncio.sleep(0.05)


async def _tab(session, stack, port):
    async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as response:
        address = (await response.json())["webSocketDebuggerUrl"]
    socket = await stack.enter_async_context(session.ws_connect(address, max_msg_size=64 << 20))
    tab = Tab(socket)
    listening = asyncio.create_task(tab.listen())
    stack.callback(listening.cancel)
    for domain in ("Page", "Runtime", "Log", "Network"):
        await tab.call(f"{domain}.enable")
    return tab


def renderer_mebibytes(process):
    """Return the memory of the browser's largest renderer process, in MiB: its own, and its share of what several map."""
    return max(map(_mebibytes, _renderers(process.pid)))


def _renderers(parent):
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"--type=renderer" in (folder / "cmdline").read_bytes() and parent in _ancestors(folder.name):
                yield folder


def _ancestors(pid):
    while pid not in {"0", "1"}:
        status = Path(f"/proc/{pid}/status").read_text()
        pid = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)[1]
        yield int(pid)


def _mebibytes(folder):
    return int(re.search(r"^Pss:\s*(\d+)", (folder / "smaps_rollup").read_text(), re.MULTILINE)[1]) / 1024
