"""`transformers serve` from Debian's package, in a root of its own, at the port that it takes by
itself: vLLM's.
"""

from pathlib import Path

from element import element
from run import Run
from tiny_llama import ANSWER
from viewer import Viewer

BASE = "http://localhost:8000/v1"
MODEL = "tiny/llava"
SECONDS = 8
SAID = "".join(ANSWER)


async def check(run: Run, root: Path, _: Path) -> None:
    cache = "/srv/hub"
    write = Path(__file__).with_name("tiny_llava.py").read_text()
    python = ["chroot", str(root), "python3"]
    env = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": cache}
    run.equal(
        "the model is made", run.wait("make", *python, "-c", write, cache, MODEL, *ANSWER, **env), 0
    )
    command = ["chroot", str(root), "transformers", "serve", "--device", "cpu"]
    await run.server("transformers", f"{BASE}/models", *command, **env)

    product = await run.live_vlm("live-vlm")
    said = product.said()
    run.expect("live-vlm: it is not taken for vLLM", "vLLM" not in said, said)
    async with Viewer(product.address) as viewer:
        await viewer.answered(SECONDS, 4 * SECONDS)
    await product.stop()
    config, answers = viewer.config, viewer.answers
    run.equal("live-vlm: the server is found", config.get("api_base"), BASE)
    run.equal("live-vlm: its model is chosen", config.get("model"), MODEL)
    run.expect("live-vlm: a question a second is answered", len(answers) >= SECONDS, len(answers))
    run.equal("live-vlm: its words", {answer["text"] for answer in answers}, {SAID})
    run.equal("live-vlm: errors", viewer.errors, [])

    found, errors = await element(run, "vlmanalyze", SECONDS, f"api-base={BASE}")
    run.expect("vlmanalyze: a question a second is answered", len(found) >= SECONDS - 2, len(found))
    run.equal("vlmanalyze: its words", {answer["text"] for answer in found}, {SAID})
    run.equal("vlmanalyze: its model is chosen", {answer["model"] for answer in found}, {MODEL})
    run.equal("vlmanalyze: errors", errors, [])
