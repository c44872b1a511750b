"""The product and llama.cpp: found, chosen, answered, and told when something is wrong."""

import asyncio
import time
from pathlib import Path
from subprocess import Popen

import tls
from element import element
from llama_server import llama_server
from run import Run, stop
from tiny_llama import ANSWER, NAME
from viewer import Viewer

BASE = "http://localhost:8080/v1"
SECONDS = 8
SAID = "".join(ANSWER)
KEY = "sk-of-llama.cpp"
AWAY_S = 15
"""Long enough that questions are tried ever more seldom."""
ASKED_S = 2
"""The longest from there to an answer."""


async def check(run: Run, root: Path, _: Path) -> None:
    server = await llama_server(run, root, 8080)
    await found_by_itself(run)
    await asked_by_the_element(run)
    await gone_and_back(run, root, server)
    await wants_a_key(run, root)
    await takes_no_pictures(run, root)
    await tls.check(run, root)


async def found_by_itself(run: Run) -> None:
    """Without a word about it."""
    product = await run.live_vlm("live-vlm")
    run.equal("live-vlm: it is ready", (await product.get("/readyz"))[0], 200)
    async with Viewer(product.address) as viewer:
        await viewer.answered(SECONDS, 3 * SECONDS)
    config, answers = viewer.config, viewer.answers
    run.equal("live-vlm: the stand-in does not answer", config.get("stand_in"), False)
    run.equal("live-vlm: the server is found", config.get("api_base"), BASE)
    named = f"llama.cpp at {BASE}, model {NAME}"
    run.expect("live-vlm: it says so", named in product.said(), product.said())
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
    schema = '{"type": "object", "properties": {"seen": {"type": "boolean"}}, "required": ["seen"]}'
    properties = [f"api-base={BASE}", f"response-schema={schema}"]
    answers, errors = await element(run, "vlmanalyze-schema", 3, *properties)
    fields = {answer.get("json") for answer in answers}
    known = bool(fields) and fields <= {'{"seen":true}', '{"seen":false}'}
    run.expect("vlmanalyze: a JSON schema is kept to", known, fields)
    run.equal("vlmanalyze: errors with a JSON schema", errors, [])


async def gone_and_back(run: Run, root: Path, server: Popen) -> None:
    """A session goes on as soon as the server is seen again, however long it was away."""
    product = await run.live_vlm("live-vlm-restart", "--api-base", BASE)
    async with Viewer(product.address) as viewer:
        await viewer.answered(2, SECONDS)
        await stop(server)
        gone = await product.becomes(503)
        run.expect("restart: it is noticed that the server is gone", gone, "not noticed")
        await asyncio.sleep(AWAY_S)
        kinds = {error["kind"] for error in viewer.errors}
        run.expect("restart: what is wrong", "refused" in kinds, viewer.errors[:2])
        before = len(viewer.answers)
        await llama_server(run, root, 8080)
        back = await product.becomes(200)
        run.expect("restart: it is noticed that the server is back", back, "not noticed")
        since = time.monotonic()
        answered = await viewer.answered(before + 1, 60)
        took = time.monotonic() - since
        run.expect("restart: then it is asked at once", answered and took < ASKED_S, took)
    await product.stop()


async def wants_a_key(run: Run, root: Path) -> None:
    base = "http://127.0.0.1:8081/v1"
    await llama_server(run, root, 8081, "--api-key", KEY)
    for named, given, words in (
        ("no key", [], "none was given"),
        ("a wrong key", ["api-key=sk-wrong"], "refused the key"),
    ):
        properties = [f"api-base={base}", *given]
        answers, errors = await element(
            run, f"vlmanalyze-{named.replace(' ', '-')}", 3, *properties
        )
        said = {(error["kind"], words in error["message"]) for error in errors}
        run.expect(f"{named}: what is wrong", said == {("unauthorized", True)}, errors)
        run.equal(f"{named}: answers", answers, [])
    answers, errors = await element(
        run, "vlmanalyze-key", 3, f"api-base={base}", f"api-key=Bearer {KEY}"
    )
    run.expect("a key: it answers", len(answers) >= 2, len(answers))
    run.equal("a key: errors", errors, [])


async def takes_no_pictures(run: Run, root: Path) -> None:
    """A model without eyes: no question is asked again, and the user is told what to do."""
    base = "http://127.0.0.1:8082/v1"
    await llama_server(run, root, 8082, sees=False)
    _, errors = await element(run, "vlmanalyze-blind", 5, f"api-base={base}")
    run.equal("no eyes: it is asked once", len(errors), 1)
    said = all("choose a vision model" in error["message"] for error in errors)
    run.expect("no eyes: what to do", said, errors)
