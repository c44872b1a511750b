"""llama.cpp's server from Debian's package, in a root of its own."""

from pathlib import Path
from subprocess import Popen

from run import Run
from tiny_llama import NAME


async def llama_server(run: Run, root: Path, port: int, *flags: str, sees: bool = True) -> Popen:
    """Started in its root; one that sees has the eyes beside the model."""
    # One thread, as there is little to reckon and others want the cores too.
    command = ["chroot", str(root), "llama-server", "--port", str(port), "--threads", "1"]
    command += ["--model", "/srv/tiny/model.gguf", "--alias", NAME]
    command += ["--mmproj", "/srv/tiny/mmproj.gguf"] if sees else []
    scheme = "https" if "--ssl-cert-file" in flags else "http"
    url = f"{scheme}://127.0.0.1:{port}/health"
    return await run.server(f"llama.cpp-{port}", url, *command, *flags)
