"""LiteLLM's proxy with a master key and no database."""

import json
from pathlib import Path

from gateway import BEHIND, check_gateway, start_what_is_behind
from run import Run
from viewer import Viewer

KEY = "sk-of-the-gateway"
PORT = 4000
BASE = f"http://127.0.0.1:{PORT}/v1"


def config() -> dict:
    behind = {"api_base": f"http://127.0.0.1:{BEHIND}/v1", "api_key": "none"}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **behind}}
        for name in ("good", "limited", "broken")
    ]
    # It would try for 25 s before it says that a model fails.
    return {"model_list": models, "router_settings": {"num_retries": 0}}


async def check(run: Run, _: Path, venvs: Path) -> None:
    await start_what_is_behind(run)
    file = run.folder / "litellm.yaml"
    # JSON is YAML too.
    file.write_text(json.dumps(config()))
    command = [str(venvs / "litellm/bin/litellm"), "--config", str(file), "--telemetry", "False"]
    command += ["--host", "127.0.0.1", "--port", str(PORT)]
    # The models' prices are in the package too.
    env = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    await run.server("litellm", f"http://127.0.0.1:{PORT}/health/liveliness", *command, **env)
    await check_gateway(run, BASE, KEY, retry_after=False)
    await wrong_key(run)


async def wrong_key(run: Run) -> None:
    """It says so with HTTP 400, as it has no database to look a key up in."""
    product = await run.live_vlm(
        "live-vlm-wrong-key", "--api-base", BASE, "--model", "good", LIVE_VLM_API_KEY="sk-wrong"
    )
    run.expect("a wrong key: live-vlm is not ready", await product.becomes(503), "ready")
    async with Viewer(product.address) as viewer:
        await viewer.until(lambda: viewer.errors, 10)
    said = [error["message"] for error in viewer.errors]
    told = bool(said) and "No connected db" in said[0]
    run.expect("a wrong key: the user is told what LiteLLM says", told, said)
    await product.stop()
