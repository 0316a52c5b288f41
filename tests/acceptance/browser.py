"""A real Chromium, driven over its DevTools protocol: looks at pages, takes pictures, and lets axe-core judge them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.acceptance.waiting import until
from tests.programs import require

AXE: Final = Path(__file__).parent.parent / "data" / "axe" / "axe.min.js"
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESKTOP, PHONE, NARROW = (1100, 900), (390, 844), (320, 640)
"""Width and height in CSS pixels."""


class Browser:
    """One tab. Commands are sent and answered one at a time; events gather."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        """Addresses asked for since the last `open`."""
        self._loaded = False

    async def say(self, method: str, **params: Any) -> dict[str, Any]:
        """One command; its answer."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while (answer := await self._next()).get("id") != number:
            pass
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            message: dict[str, Any] = await self._socket.receive_json()
        if message.get("method") == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)
        self._loaded = self._loaded or message.get("method") == "Page.loadEventFired"
        return message

    async def look(
        self, size: tuple[int, int] = DESKTOP, *, dark: bool = False, media: str = "screen"
    ) -> None:
        """From now on as on such a screen, or on paper."""
        width, height = size
        phone = width < 500
        await self.say(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.say("Emulation.setEmulatedMedia", media=media, features=[scheme])

    async def open(self, url: str) -> None:
        """Load a page."""
        self.requests, self._loaded = [], False
        answer = await self.say("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        while not self._loaded:
            await self._next()

    async def show(self, document: str) -> None:
        """Show this HTML."""
        await self.open("about:blank")
        frame = (await self.say("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await self.say("Page.setDocumentContent", frameId=frame, html=document)

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; the page's own policy does not bind us."""
        answer = await self.say(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def violations(self) -> list[str]:
        """What axe-core finds wrong: rule, and where."""
        await self.ask(AXE.read_text(encoding="utf-8") + ";0")
        rules = {"runOnly": {"type": "tag", "values": _TAGS}}
        found = await self.ask(f"axe.run(document, {str(rules).replace(chr(39), chr(34))})")
        assert len(found["passes"]) > 15, "axe looked at next to nothing"
        return [
            f"{rule['id']}: {node['html'][:150]}" for rule in found["violations"] for node in rule["nodes"]
        ]

    async def picture(self, folder: Path, name: str) -> Path:
        """The whole page as a PNG; also in INCIDENTD_SCREENSHOTS, if that is set, for whoever wants to look."""
        shot = await self.say("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path = Path(os.environ.get("INCIDENTD_SCREENSHOTS") or folder) / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """Chromium with an empty profile below `folder`. Skipped by name where it is missing."""
    program = require("chromium", "apt-get install chromium", "chromium-browser", "google-chrome")
    profile = folder / "profile"
    arguments = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdin=quiet, stdout=quiet, stderr=quiet
    )
    try:
        port = profile / "DevToolsActivePort"
        await until(lambda: port.exists() and "\n" in port.read_text(), "chromium to start", 30)
        address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{address}/json/list") as answer:
                tabs = await answer.json(content_type=None)
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                opened = Browser(socket)
                await opened.say("Page.enable")
                await opened.say("Network.enable")
                yield opened
    finally:
        process.terminate()
        await process.wait()
