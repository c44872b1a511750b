"""LiteLLM's proxy with a master key and no database."""

import json
from pathlib import Path

from gateway import BEHIND, check_gateway, start_what_is_behind
from run import Run

KEY = "sk-of-the-gateway"
PORT = 4000


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
    await check_gateway(run, f"http://127.0.0.1:{PORT}/v1", KEY, retry_after=False)
