"""The routers of vLLM and SGLang, each in front of two servers with the same model."""

from pathlib import Path

from element import element
from run import Run
from viewer import Viewer

BEHIND = (8101, 8102)
MODEL = "demo-vlm"
SECONDS = 8
ROUTERS = {
    "vllm-router": (8001, ["vllm-router"], []),
    # It knows the models of SGLang's own servers alone; the others' must be named.
    "sglang-router": (8002, ["sglang-router", "launch"], [MODEL]),
}


async def check(run: Run, _: Path, venvs: Path) -> None:
    workers = [f"http://127.0.0.1:{port}" for port in BEHIND]
    for port, worker in zip(BEHIND, workers, strict=True):
        command = [str(run.live_vlm_binary), "demo-vlm", "--port", str(port)]
        await run.server(f"behind-{port}", f"{worker}/v1/models", *command)
    for name, (port, program, model) in ROUTERS.items():
        command = [str(venvs / "routers/bin" / program[0]), *program[1:], "--worker-urls", *workers]
        base = f"http://127.0.0.1:{port}/v1"
        await run.server(
            name,
            f"{base}/models",
            *command,
            *["--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(port + 1000)],
        )
        await asked(run, name, base, model)


async def asked(run: Run, name: str, base: str, model: list[str]) -> None:
    """By server and element, which choose the model unless it is named."""
    flags = [flag for named in model for flag in ("--model", named)]
    product = await run.live_vlm(f"live-vlm-{name}", "--api-base", base, *flags)
    async with Viewer(product.address) as viewer:
        await viewer.answered(SECONDS, 3 * SECONDS)
    await product.stop()
    answers = viewer.answers
    run.equal(f"{name}, live-vlm: the model", viewer.config.get("model"), MODEL)
    run.expect(f"{name}, live-vlm: it answers", len(answers) >= SECONDS, len(answers))
    seen = all("entirely yellow" in answer["text"] for answer in answers)
    run.expect(f"{name}, live-vlm: about the picture", seen, answers[:1])
    run.equal(f"{name}, live-vlm: errors", viewer.errors, [])

    properties = [f"api-base={base}", *(f"model={named}" for named in model)]
    found, errors = await element(run, f"vlmanalyze-{name}", SECONDS, *properties)
    run.expect(f"{name}, vlmanalyze: it answers", len(found) >= SECONDS - 2, len(found))
    run.equal(f"{name}, vlmanalyze: the model", {answer["model"] for answer in found}, {MODEL})
    run.equal(f"{name}, vlmanalyze: errors", errors, [])
