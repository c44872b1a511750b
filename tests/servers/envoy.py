"""Envoy as a plain proxy in front of a VLM server."""

import json
from pathlib import Path

from gateway import BEHIND, check_gateway, start_what_is_behind
from run import Run

PORT = 10000
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager"
)


def address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def config() -> dict:
    # Without a time-out of its own: an answer takes as long as it takes.
    route = {"match": {"prefix": "/"}, "route": {"cluster": "vlm", "timeout": "0s"}}
    host = {"name": "vlm", "domains": ["*"], "routes": [route]}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "vlm",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "vlm", "address": address(PORT), "filter_chains": [chain]}
    endpoint = {"endpoint": {"address": address(BEHIND)}}
    cluster = {
        "name": "vlm",
        "load_assignment": {"cluster_name": "vlm", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


async def check(run: Run, _: Path, venvs: Path) -> None:
    await start_what_is_behind(run)
    file = run.folder / "envoy.json"
    file.write_text(json.dumps(config()))
    command = [str(venvs / "envoy/bin/envoy"), "--config-path", str(file), "--concurrency", "1"]
    url = f"http://127.0.0.1:{PORT}/v1/models"
    await run.server("envoy", url, *command, "--use-dynamic-base-id")
    await check_gateway(run, f"http://127.0.0.1:{PORT}/v1", None, retry_after=True)
