"""Publishes a coloured picture to a live-vlm server with aiortc, and waits for an answer about it.

usage: aiortc_publisher.py SERVER CODEC SETUP

SERVER is an address such as http://127.0.0.1:8090, CODEC is VP8 or H264, and SETUP is the end of
the DTLS handshake that the offer takes: actpass, active or passive. Prints one line and exits
with 0 when the answer names the colour.
"""

import asyncio
import sys
import uuid

import aioice.ice
import aiohttp
import av
from aiortc import (
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)

LIMIT_S = 20
# aiortc leaves loopback out by itself, and the server here listens nowhere else.
aioice.ice.get_host_addresses = lambda use_ipv4=True, use_ipv6=True: ["127.0.0.1"]


class Yellow(VideoStreamTrack):
    """A flat yellow picture, 640 by 480."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(640, 480, "yuv420p")
        for plane, value in zip(frame.planes, (210, 16, 146)):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


async def send_video(
    http: aiohttp.ClientSession, server: str, session: str, codec: str, setup: str
) -> RTCPeerConnection:
    """Sends the picture to a session, until the peer is closed."""
    peer = RTCPeerConnection()
    transceiver = peer.addTransceiver(Yellow(), direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([c for c in codecs if c.name == codec])
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp.replace("a=setup:actpass", f"a=setup:{setup}")
    body = {"sdp": offer, "type": "offer", "session_id": session}
    async with http.post(f"{server}/offer", json=body) as response:
        answer = await response.json()
        if response.status != 200:
            raise RuntimeError(f"the offer got {response.status}: {answer}")
    await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
    return peer


async def publish(server: str, codec: str, setup: str) -> str:
    """The first answer."""
    session = str(uuid.uuid4())
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(f"{server}/ws?session_id={session}")
        peer = await send_video(http, server, session, codec, setup)
        try:
            async for message in socket:
                message = message.json()
                if message["type"] == "vlm_response":
                    return message["text"]
                if message.get("status") in ("Failed", "Stopped"):
                    raise RuntimeError(f"the session ended: {message['text']}")
            raise RuntimeError("the server closed the WebSocket")
        finally:
            await peer.close()


def main() -> int:
    _, server, codec, setup = sys.argv
    try:
        text = asyncio.run(asyncio.wait_for(publish(server, codec, setup), LIMIT_S))
    except TimeoutError:
        text = f"no answer within {LIMIT_S} s"
    except RuntimeError as error:
        text = str(error)
    good = "yellow" in text
    print(f"aiortc, {codec}, setup:{setup}: {'answered' if good else 'FAILED'}: {text}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
