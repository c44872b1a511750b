"""llama.cpp from Debian's package, in a root of its own, at the port that it takes by itself."""

from pathlib import Path

from element import element
from run import Run
from tiny_llama import ANSWER, NAME
from viewer import Viewer

BASE = "http://localhost:8080/v1"
SECONDS = 8
SAID = "".join(ANSWER)


def llama_server(root: Path, *flags: str) -> list[str]:
    """Its command: one thread, as there is little to reckon and others want the cores too."""
    command = ["chroot", str(root), "llama-server", "--model", "/srv/tiny/model.gguf"]
    return command + ["--port", "8080", "--alias", NAME, "--threads", "1", *flags]


async def check(run: Run, root: Path, _: Path) -> None:
    eyes = ["--mmproj", "/srv/tiny/mmproj.gguf"]
    await run.server("llama.cpp", f"{BASE}/models", *llama_server(root, *eyes))
    await found_by_itself(run)
    await asked_by_the_element(run)


async def found_by_itself(run: Run) -> None:
    """Without a word about it."""
    product = await run.live_vlm("live-vlm")
    run.equal("live-vlm: it is ready", (await product.get("/readyz"))[0], 200)
    async with Viewer(product.address) as viewer:
        await viewer.answered(SECONDS, 3 * SECONDS)
    config, answers = viewer.config, viewer.answers
    run.equal("live-vlm: the stand-in does not answer", config.get("stand_in"), False)
    run.equal("live-vlm: the server is found", config.get("api_base"), BASE)
    run.equal("live-vlm: its model is chosen", config.get("model"), NAME)
    run.expect("live-vlm: a question a second is answered", len(answers) >= SECONDS, len(answers))
    run.equal("live-vlm: its words", {answer["text"] for answer in answers}, {SAID})
    run.equal("live-vlm: its model", {answer["model"] for answer in answers}, {NAME})
    ends = {answer["metrics"]["finish_reason"] for answer in answers}
    run.equal("live-vlm: why answers end", ends, {"stop"})
    counted = all(answer["metrics"]["tokens_in"] > 50 for answer in answers)
    run.expect("live-vlm: tokens are counted, the picture's too", counted, answers[:1])
    run.equal("live-vlm: errors", viewer.errors, [])
    await product.stop()


async def asked_by_the_element(run: Run) -> None:
    """With its address alone."""
    answers, errors = await element(run, "vlmanalyze", SECONDS, f"api-base={BASE}")
    enough = len(answers) >= SECONDS - 2
    run.expect("vlmanalyze: a question a second is answered", enough, len(answers))
    run.equal("vlmanalyze: its words", {answer["text"] for answer in answers}, {SAID})
    run.equal("vlmanalyze: its model is chosen", {answer["model"] for answer in answers}, {NAME})
    run.equal("vlmanalyze: errors", errors, [])
