"""Runs the product against a real VLM server on this host.

usage: check.py SERVER

To be run by scripts/check-servers.sh, in namespaces of its own: it leaves processes behind. These
variables say where things are: LIVE_VLM and PLUGIN (the product's files), FOLDER (an empty folder
for logs), ROOT (the server's Debian), VENVS (the folder with the venvs of servers).
"""

import asyncio
import os
import sys
from pathlib import Path

import envoy
import lite_llm
import llama_cpp
import routers
import transformers_serve
from run import NotReady, Run

CHECKS = {
    "envoy": envoy.check,
    "litellm": lite_llm.check,
    "llama-cpp": llama_cpp.check,
    "routers": routers.check,
    "transformers": transformers_serve.check,
}


def main() -> int:
    server = sys.argv[1]
    folder = place("FOLDER")
    run = Run(place("LIVE_VLM"), place("PLUGIN"), folder)
    try:
        asyncio.run(CHECKS[server](run, place("ROOT"), place("VENVS")))
    except NotReady as error:
        run.expect(str(error), False, "the rest was not tried")
    if run.failed:
        print(f"{len(run.failed)} checks with {server} failed; logs: {folder}")
    return 1 if run.failed else 0


def place(variable: str) -> Path:
    return Path(os.environ[variable])


if __name__ == "__main__":
    sys.exit(main())
