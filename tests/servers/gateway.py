"""What must be true of every gateway: its failures are a model's and not the gateway's, so whoever
chooses a model that fails harms nobody else.
"""

import asyncio
import contextlib
import statistics
import sys
from pathlib import Path

from element import element
from partly_failing_vlm import FAILURES, WAIT_S
from run import Run
from viewer import Viewer

SECONDS = 25
GAP_S = 2.5
"""The longest time from answer to answer of somebody who asks once a second."""
BEHIND = 8101
"""The port of the server behind the gateway."""
KINDS = {"limited": "rate-limited", "broken": "server"}
"""What users of the models that fail must be told that it is."""


async def start_what_is_behind(run: Run) -> None:
    """A server with the models `good`, `limited` and `broken`."""
    program = Path(__file__).with_name("partly_failing_vlm.py")
    url = f"http://127.0.0.1:{BEHIND}/v1/models"
    await run.server("behind", url, sys.executable, str(program), str(BEHIND))


async def check_gateway(run: Run, base: str, key: str | None, retry_after: bool) -> None:
    """Has users of all its models ask at once. `retry_after`: whether it passes that header on."""
    flags = ["--api-base", base, "--model", "good"]
    if key:
        file = run.folder / "key"
        file.write_text(key)
        flags += ["--api-key-file", str(file)]
    product = await run.live_vlm("live-vlm", *flags)
    run.equal("live-vlm: it is ready", (await product.get("/readyz"))[0], 200)
    async with Viewer(product.address) as first:
        # A gateway's first question may take it several seconds.
        await first.answered(1, SECONDS)
    alone = await beside(run, product.address, [], retry_after)
    for model in FAILURES:
        good = await beside(run, product.address, [model] * 3, retry_after)
        named = f"with 3 of {model}"
        fewer = (len(good.answers), len(alone.answers))
        run.expect(f"{named}: as many answers as alone", fewer[0] >= fewer[1] - 1, fewer)
        ages = (statistics.median(good.ages()), statistics.median(alone.ages()))
        run.expect(f"{named}: as fresh as alone", ages[0] < 1.25 * ages[1] + 50, ages)
    await product.stop()
    properties = [f"api-base={base}", "model=good"] + ([f"api-key={key}"] if key else [])
    answers, errors = await element(run, "vlmanalyze", 8, *properties)
    run.expect("vlmanalyze: a question a second is answered", len(answers) >= 6, len(answers))
    run.equal("vlmanalyze: errors", errors, [])


async def beside(run: Run, address: str, others: list[str], retry_after: bool) -> Viewer:
    """A user of the good model for a while, beside users of other models."""
    named = f"with {len(others)} of {others[0]}" if others else "alone"
    async with contextlib.AsyncExitStack() as users:
        failing = [await users.enter_async_context(Viewer(address, model)) for model in others]
        good = await users.enter_async_context(Viewer(address))
        await good.answered(1, SECONDS)
        for second in range(SECONDS):
            await asyncio.sleep(1)
            # A changed question is asked at once, whatever became of the one before.
            for user in failing:
                await user.ask(f"Question {second}?")
    run.equal(f"{named}: errors of the good model", good.errors, [])
    run.equal(f"{named}: its name", {answer["model"] for answer in good.answers}, {"good"})
    seen = all("yellow" in answer["text"] for answer in good.answers)
    run.expect(f"{named}: its answers are about the picture", seen, good.answers[:1])
    run.expect(f"{named}: none comes late", max(good.gaps(), default=99) < GAP_S, good.gaps())
    ages = good.ages() or [0]
    age = f"{statistics.median(ages):.0f} ms old, at most {ages[-1]:.0f}"
    print(f"       {len(good.answers)} answers, {age}")
    for user in failing:
        print(f"       {len(user.errors)} errors of {others[0]}")
    if failing:
        errors = [error for user in failing for error in user.errors]
        told_what_is_wrong(run, named, others[0], errors, retry_after)
        run.equal(f"{named}: its answers", [user.answers for user in failing], [[]] * len(others))
    return good


def told_what_is_wrong(
    run: Run, named: str, model: str, errors: list[dict], retry_after: bool
) -> None:
    """Users of a model that fails are told its own words and when it is asked again."""
    kinds = {error["kind"] for error in errors}
    # While the model is left alone, questions are not sent.
    known = KINDS[model] in kinds and kinds <= {KINDS[model], "unavailable"}
    run.expect(f"{named}: what is wrong", known, kinds)
    said = [error["message"] for error in errors]
    words = FAILURES[model][3]
    run.expect(f"{named}: why", bool(said) and all(words in m for m in said), said)
    if model == "limited" and retry_after:
        waits = {error["retry_in_ms"] for error in errors if error["kind"] == KINDS[model]}
        obeyed = all(wait and (WAIT_S - 1) * 1000 < wait <= WAIT_S * 1000 for wait in waits)
        run.expect(f"{named}: when it may be asked again", obeyed, waits)
