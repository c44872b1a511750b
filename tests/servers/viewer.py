"""A user of a live-vlm server, with a page's video and WebSocket."""

import asyncio
import contextlib
import time
import uuid
from itertools import pairwise

import aiohttp
from aiortc_publisher import send_video

CONNECT_S = 30


class Viewer:
    """One user with one session; another viewer is another user.

    async with Viewer(address) as viewer: ...
    """

    def __init__(self, server: str, model: str | None = None):
        """With a model, that one is asked in place of the server's."""
        self.server = server
        self.model = model
        self.config: dict = {}
        self.answers: list[dict] = []
        self.errors: list[dict] = []
        self.arrivals: list[float] = []
        """When each answer came, in s."""
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Viewer":
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        async with asyncio.timeout(CONNECT_S):
            # The page's cookie is what tells users apart.
            async with self._http.get(self.server + "/"):
                pass
            session = str(uuid.uuid4())
            self._socket = await self._http.ws_connect(f"{self.server}/ws?session_id={session}")
            if self.model:
                await self._socket.send_json({"type": "update_model", "model": self.model})
            self._peer = await send_video(self._http, self.server, session, "VP8", "actpass")
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        with contextlib.suppress(Exception):
            await self._socket.send_json({"type": "hang_up"})
        await self._peer.close()
        await self._http.close()

    async def _read(self) -> None:
        async for message in self._socket:
            message = message.json()
            match message["type"]:
                case "server_config":
                    self.config = message
                case "vlm_response":
                    self.answers.append(message)
                    self.arrivals.append(time.monotonic())
                case "vlm_error":
                    self.errors.append(message)
            self._news.set()

    async def ask(self, prompt: str) -> None:
        """Asks this from now on."""
        await self._socket.send_json({"type": "update_prompt", "prompt": prompt})

    async def until(self, holds, limit: float) -> bool:
        """Whether `holds()` was true within `limit` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        return holds()

    async def answered(self, count: int, limit: float) -> bool:
        """Whether there were so many answers within `limit` seconds."""
        return await self.until(lambda: len(self.answers) >= count, limit)

    def ages(self) -> list[int]:
        """Of the answers, from the capture of the picture, in ms, the lowest first."""
        return sorted(answer["metrics"]["age_ms"] for answer in self.answers)

    def gaps(self) -> list[float]:
        """Between one answer and the next, in s."""
        return [b - a for a, b in pairwise(self.arrivals)]
