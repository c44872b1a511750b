"""`vlmanalyze` in gst-launch-1.0, and the messages that it posts."""

import asyncio
import re

from run import Run

FIELD = re.compile(r'([\w-]+)=\((\w+)\)("(?:[^"\\]|\\.)*"|[^,;]*)')
RATE = 10
MORE_S = 60
"""What a run may take beyond its video."""


async def element(run: Run, name: str, seconds: int, *properties: str, **env: str):
    """The complete answers and the errors about so many seconds of a live test picture."""
    source = f"videotestsrc is-live=true num-buffers={seconds * RATE} !"
    caps = f"video/x-raw,width=320,height=240,framerate={RATE}/1 !"
    command = ["gst-launch-1.0", "-m", *source.split(), *caps.split()]
    command += ["vlmanalyze", *properties, "!", "fakesink"]
    process = run.start(name, *command, **env)
    for _ in range((seconds + MORE_S) * 10):
        if process.poll() is not None:
            break
        await asyncio.sleep(0.1)
    else:
        process.kill()
    run.equal(f"{name}: gst-launch-1.0 ends well", process.wait(), 0)
    messages = [fields(line) for line in run.log(name).read_text().splitlines()]
    answers = [m for m in messages if m.get("name") == "vlm-answer" and m["done"] == "true"]
    return answers, [m for m in messages if m.get("name") == "vlm-error"]


def fields(line: str) -> dict[str, str]:
    """Of a message as gst-launch-1.0 prints it; with its name as `name`."""
    message = re.search(r"\(element\): (vlm-[\w-]+), ", line)
    if not message:
        return {}
    found = {key: unescaped(value) for key, _, value in FIELD.findall(line[message.end() :])}
    return found | {"name": message[1]}


def unescaped(value: str) -> str:
    """A value of a GstStructure's text form."""
    if not value.startswith('"'):
        return value.replace("\\ ", " ").strip()
    octal = re.sub(rb"\\([0-3][0-7]{2})", lambda m: bytes([int(m[1], 8)]), value[1:-1].encode())
    return re.sub(r"\\(.)", r"\1", octal.decode(errors="replace"))
