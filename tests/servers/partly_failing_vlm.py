"""A VLM server with a model that answers and two that fail, each in the way that its name says.

usage: partly_failing_vlm.py PORT
"""

import asyncio
import json
import sys

from aiohttp import web

ANSWER = "A yellow picture."
LATENCY_S = 0.3
WAIT_S = 7
FAILURES = {
    "limited": (429, {"Retry-After": str(WAIT_S)}, "rate_limit_error", "Rate limit reached"),
    "broken": (500, {}, "server_error", "CUDA out of memory"),
}


async def answer(request: web.Request) -> web.StreamResponse:
    model = (await request.json())["model"]
    if model in FAILURES:
        status, headers, kind, words = FAILURES[model]
        error = {"message": words, "type": kind, "param": None, "code": None}
        return web.json_response({"error": error}, status=status, headers=headers)
    await asyncio.sleep(LATENCY_S)
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await stream.prepare(request)
    for delta, end in (({"content": ANSWER}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        event = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": [choice]}
        await stream.write(f"data: {json.dumps(event)}\n\n".encode())
    await stream.write(b"data: [DONE]\n\n")
    return stream


async def models(_: web.Request) -> web.Response:
    listed = [{"id": name, "object": "model"} for name in ("good", *FAILURES)]
    return web.json_response({"object": "list", "data": listed})


if __name__ == "__main__":
    app = web.Application(client_max_size=32 << 20)
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/v1/models", models)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
