"""Starts servers and the product, and collects what was wrong."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import aiohttp

READY_S = 90
"""The longest that a server may take to start."""

SEEN_S = 12
"""The longest until the product sees how a server is: it looks every 5 s."""
SHOWN = 600
"""The most characters of a value that is not as it must be."""


class NotReady(Exception):
    """A server did not start."""


class Run:
    """The processes of one run, with their logs in a folder, and the checks' results.

    Processes are not ended one by one: all are in a PID namespace that ends with the run.
    """

    def __init__(self, live_vlm: Path, plugin: Path, folder: Path):
        self.live_vlm_binary = live_vlm
        self.folder = folder
        self.failed: list[str] = []
        plugins = folder / "plugins"
        plugins.mkdir(parents=True)
        (plugins / plugin.name).symlink_to(plugin)
        # Nothing else of the caller's: its VLM settings would be the product's.
        self.env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "GST_PLUGIN_PATH": str(plugins),
            "GST_REGISTRY": str(folder / "registry"),
        }

    def expect(self, what: str, holds: bool, got: object) -> None:
        """Says whether something is as it must be, and remembers if not."""
        print(f"{'ok    ' if holds else 'FAILED'} {what}{'' if holds else shown(got)}", flush=True)
        if not holds:
            self.failed.append(what)

    def equal(self, what: str, got: object, wanted: object) -> None:
        self.expect(what, got == wanted, f"got {got!r}, wanted {wanted!r}")

    def start(self, name: str, *command: str, **env: str) -> subprocess.Popen:
        """A process that writes to NAME.log."""
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env | env,
                cwd=self.folder,
            )

    def wait(self, name: str, *command: str, **env: str) -> int:
        """The exit status of a command that writes to NAME.log."""
        return self.start(name, *command, **env).wait()

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    async def server(self, name: str, url: str, *command: str, **env: str) -> subprocess.Popen:
        """A server that answers at `url`, whatever it says there."""
        process = self.start(name, *command, **env)
        async with aiohttp.ClientSession() as http:
            for _ in range(READY_S * 10):
                if process.poll() is not None:
                    break
                try:
                    # Its certificate is for the product to look at.
                    async with http.get(url, ssl=False) as response:
                        if response.status < 500:
                            return process
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise NotReady(f"{name} does not answer at {url}; see {self.log(name)}")

    async def live_vlm(self, name: str, *flags: str, **env: str) -> "LiveVlm":
        """The product's server on this host, with these flags."""
        command = [str(self.live_vlm_binary), "--host", "127.0.0.1", "--port", "0", "--no-ssl"]
        process = self.start(name, *command, *flags, **env)
        for _ in range(READY_S * 10):
            if process.poll() is not None:
                break
            opened = re.search(r"Open: +(http://[^\s#]+)", self.log(name).read_text())
            if opened:
                return LiveVlm(process, opened[1], self.log(name))
            await asyncio.sleep(0.1)
        raise NotReady(f"live-vlm does not start; see {self.log(name)}")


class LiveVlm:
    """A running `live-vlm`."""

    def __init__(self, process: subprocess.Popen, address: str, log: Path):
        self.process = process
        self.address = address
        self.log = log

    def said(self) -> str:
        """All that it has printed and logged."""
        return self.log.read_text()

    async def get(self, path: str) -> tuple[int, dict]:
        async with aiohttp.ClientSession() as http, http.get(self.address + path) as response:
            return response.status, await response.json()

    async def becomes(self, status: int, limit: int = SEEN_S) -> bool:
        """Whether `/readyz` has this status within `limit` seconds."""
        for _ in range(limit * 10):
            if (await self.get("/readyz"))[0] == status:
                return True
            await asyncio.sleep(0.1)
        return False

    async def stop(self) -> None:
        await stop(self.process)


async def stop(process: subprocess.Popen) -> None:
    """Ends a process as an operator does, and waits for it."""
    process.terminate()
    for _ in range(200):
        if process.poll() is not None:
            return
        await asyncio.sleep(0.1)
    process.kill()
    process.wait()


def shown(got: object) -> str:
    """What there was, not at any length."""
    text = f": {got}"
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
