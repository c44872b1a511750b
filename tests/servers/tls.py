"""https to a server of one's own, with the certificates that docs/vlm-certificates.md makes."""

import re
import shutil
import subprocess
from pathlib import Path

from element import element
from llama_server import llama_server
from run import Run
from viewer import Viewer

DOCUMENT = Path(__file__).parents[2] / "docs/vlm-certificates.md"
HOST = {"gpu-box.example": "localhost", "192.0.2.7": "127.0.0.1"}
"""What the document calls the server's host, and what it is here."""
SEEN_S = 40
"""The longest until the product leaves a server alone: three looks, each up to a time-out."""
USUAL = (
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem"
    " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
)
"""How one is made everywhere: of an authority's kind, CA:TRUE."""


def documented(name: str) -> str:
    """The commands of the document below the mark of this name."""
    block = re.search(rf"<!-- {name} -->\n+```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    commands = block[1]
    for there, here in HOST.items():
        commands = commands.replace(there, here)
    return commands


def certificate(run: Run, root: Path, name: str, commands: str) -> Path:
    """Makes server.pem and server.key, and puts them where the server's root has them."""
    folder = run.folder / f"certificate-{name}"
    folder.mkdir()
    made = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, capture_output=True, text=True
    )
    run.equal(
        f"{name}: openssl", (made.returncode, made.stderr if made.returncode else ""), (0, "")
    )
    there = root / "srv/tls" / name
    there.mkdir(parents=True, exist_ok=True)
    for file in ("server.pem", "server.key"):
        shutil.copy(folder / file, there)
    return folder


async def check(run: Run, root: Path) -> None:
    """With an authority of one's own, with a certificate alone, and with what goes wrong."""
    authority = certificate(run, root, "authority", documented("authority"))
    await serve(run, root, 8443, "authority")
    await answers(run, "authority", "https://localhost:8443/v1", authority / "ca.pem")
    await answers(run, "authority, by address", "https://127.0.0.1:8443/v1", authority / "ca.pem")
    await fails(run, "no authority", "https://localhost:8443/v1", [], ["authority", "ca-file"])

    alone = certificate(run, root, "alone", documented("alone"))
    await serve(run, root, 8444, "alone")
    await answers(run, "alone", "https://localhost:8444/v1", alone / "server.pem")

    usual = certificate(run, root, "usual", USUAL)
    await serve(run, root, 8445, "usual")
    trusted = [f"ca-file={usual / 'server.pem'}"]
    await fails(run, "CA:TRUE", "https://localhost:8445/v1", trusted, ["CA:TRUE"])

    # llama.cpp without TLS.
    await fails(run, "https to http", "https://localhost:8080/v1", [], ["http://"])


async def serve(run: Run, root: Path, port: int, name: str) -> None:
    flags = ["--ssl-cert-file", f"/srv/tls/{name}/server.pem"]
    flags += ["--ssl-key-file", f"/srv/tls/{name}/server.key"]
    await llama_server(run, root, port, *flags)


async def answers(run: Run, named: str, base: str, ca_file: Path) -> None:
    """Server and element get answers when they know whom to believe."""
    file = named.replace(", ", "-").replace(" ", "-")
    properties = [f"api-base={base}", f"ca-file={ca_file}"]
    found, errors = await element(run, f"vlmanalyze-{file}", 3, *properties)
    run.expect(f"{named}, vlmanalyze: it answers", len(found) >= 2, len(found))
    run.equal(f"{named}, vlmanalyze: errors", errors, [])
    flags = ["--api-base", base, "--api-ca-file", str(ca_file)]
    product = await run.live_vlm(f"live-vlm-{file}", *flags)
    run.equal(f"{named}, live-vlm: it is ready", (await product.get("/readyz"))[0], 200)
    async with Viewer(product.address) as viewer:
        run.expect(f"{named}, live-vlm: it answers", await viewer.answered(2, 10), viewer.errors)
    await product.stop()


async def fails(run: Run, named: str, base: str, properties: list[str], words: list[str]) -> None:
    """Server and element say what is wrong."""
    file = named.replace(" ", "-").replace(":", "-")
    found, errors = await element(run, f"vlmanalyze-{file}", 3, f"api-base={base}", *properties)
    run.equal(f"{named}, vlmanalyze: answers", found, [])
    kinds = {error["kind"] for error in errors}
    run.equal(f"{named}, vlmanalyze: what is wrong", kinds, {"tls"})
    said = [error["message"] for error in errors]
    told = bool(said) and all(word in message for message in said for word in words)
    run.expect(f"{named}, vlmanalyze: what to do", told, said)
    flags = ["--api-base", base, *(f"--api-{of}" for of in properties)]
    product = await run.live_vlm(f"live-vlm-{file}", *flags)
    await product.becomes(503, SEEN_S)
    status, body = await product.get("/readyz")
    told = status == 503 and "tls" in body.get("reasons", [])
    run.expect(f"{named}, live-vlm: why it is not ready", told, (status, body))
    complaints = [line for line in product.said().splitlines() if "ERROR" in line]
    run.equal(f"{named}, live-vlm: the TLS library does not complain itself", complaints, [])
    await product.stop()
