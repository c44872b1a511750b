// Clients of people's own making: other codecs, and video that comes back.
import type { Page } from "@playwright/test";
import { expect, MAIN, test } from "../support/test.ts";

const NO_H264 = "Firefox downloads its H264 encoder from the internet after it has started";

interface Wanted {
  /** Only this codec is offered. */
  codec: string;
  direction: "sendonly" | "sendrecv";
  /** Offers audio before the video, and a data channel, bundled so. */
  bundled?: RTCBundlePolicy;
}

interface Got {
  answer: string;
  sent: string | null;
  /** Frames decoded of the video that came back, at two moments. */
  decoded: [number, number];
  /** The state of its data channel, if it offered one. */
  channel: RTCDataChannelState | null;
}

test.describe("a client of one's own", () => {
  for (const codec of ["VP8", "VP9", "H264"]) {
    test(`that offers only ${codec} gets answers`, codec === "VP8" ? MAIN : {}, async ({
      startServer,
      startVlm,
      viewer,
      cameras,
      kind,
    }) => {
      test.skip(kind === "firefox" && codec === "H264", NO_H264);
      const vlm = await startVlm();
      const server = await startServer({ apiBase: vlm.apiBase });
      const person = await viewer({ camera: await cameras.flat("yellow") });
      await person.visit(server);
      const got = await connect(person.page, { codec, direction: "sendonly" });
      expect(got.sent).toBe(`video/${codec}`);
      expect(got.answer).toContain("sees yellow, 640 by 480");
    });
  }

  for (const codec of ["VP8", "H264"]) {
    test(`that wants its ${codec} video back gets it`, async ({
      startServer,
      startVlm,
      viewer,
      cameras,
      kind,
    }) => {
      test.skip(kind === "firefox" && codec === "H264", NO_H264);
      const vlm = await startVlm();
      const server = await startServer({ apiBase: vlm.apiBase });
      const person = await viewer({ camera: await cameras.flat("yellow") });
      await person.visit(server);
      const got = await connect(person.page, { codec, direction: "sendrecv" });
      expect(got.answer).toContain("sees yellow");
      expect(got.decoded[0]).toBeGreaterThan(0);
      expect(got.decoded[1]).toBeGreaterThan(got.decoded[0]);
    });
  }

  for (const bundled of ["balanced", "max-bundle", "max-compat"] as const) {
    test(`that offers audio and data beside its video, ${bundled}, gets answers`, async ({
      startServer,
      startVlm,
      viewer,
      cameras,
    }) => {
      const vlm = await startVlm();
      const server = await startServer({ apiBase: vlm.apiBase });
      const person = await viewer({ camera: await cameras.flat("yellow") });
      await person.visit(server);
      const got = await connect(person.page, { codec: "VP8", direction: "sendonly", bundled });
      expect(got.answer).toContain("sees yellow, 640 by 480");
      expect(got.channel).toBe("open");
    });
  }

  test("that offers no codec of ours is told which there are", async ({ startServer, viewer }) => {
    const server = await startServer();
    const person = await viewer();
    person.expectComplaint(/status of 415/);
    await person.visit(server);
    const refused = await person.page.evaluate(async () => {
      const pc = new RTCPeerConnection();
      const video = pc.addTransceiver("video", { direction: "sendonly" });
      const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
      video.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === "video/AV1"));
      const { sdp } = await pc.createOffer();
      pc.close();
      const offered = await fetch("offer", {
        method: "POST",
        body: JSON.stringify({ sdp, type: "offer" }),
      });
      return { status: offered.status, body: await offered.json() };
    });
    expect(refused.status).toBe(415);
    expect(refused.body).toMatchObject({ type: "error", code: "unsupported_codec" });
    expect(refused.body.allowed).toContain("VP8");
  });
});

/** Connects the camera without the page's own code, and reads one answer. */
function connect(page: Page, wanted: Wanted): Promise<Got> {
  return page.evaluate(async ({ codec, direction, bundled }) => {
    const id = crypto.randomUUID();
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?session_id=${id}`);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const answered = new Promise<string>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "vlm_response") resolve(message.text);
      });
    });

    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    const [track] = stream.getVideoTracks();
    if (track === undefined) throw new Error("no camera");
    const pc = new RTCPeerConnection(bundled && { bundlePolicy: bundled });
    if (bundled) pc.addTransceiver("audio", { direction: "sendonly" });
    const channel = bundled ? pc.createDataChannel("control") : null;
    const video = pc.addTransceiver(track, { direction, streams: [stream] });
    const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
    video.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === `video/${codec}`));
    // Or Firefox begins with a quarter of the picture.
    await video.sender.setParameters({
      ...video.sender.getParameters(),
      degradationPreference: "maintain-resolution",
    });
    // Without trickling: the offer has all candidates.
    const gathered = new Promise<void>((resolve) => {
      pc.addEventListener("icegatheringstatechange", () => {
        if (pc.iceGatheringState === "complete") resolve();
      });
    });
    await pc.setLocalDescription(await pc.createOffer());
    await gathered;
    const back = document.createElement("video");
    back.muted = true;
    pc.addEventListener("track", (event) => {
      back.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void back.play();
    });
    const offered = await fetch("offer", {
      method: "POST",
      body: JSON.stringify({ sdp: pc.localDescription?.sdp, type: "offer", session_id: id }),
    });
    if (!offered.ok) throw new Error(await offered.text());
    await pc.setRemoteDescription(await offered.json());

    const entry = async (type: string) => {
      const reports = [...((await pc.getStats()) as any).values()];
      return reports.find((report) => report.type === type && report.kind === "video");
    };
    const answer = await answered;
    const outbound = await entry("outbound-rtp");
    const codecId = outbound?.codecId;
    const sent = codecId ? (await pc.getStats()).get(codecId)?.mimeType : null;
    const decoded: [number, number] = [0, 0];
    if (direction === "sendrecv") {
      const frames = (count: number) =>
        new Promise<void>((resolve) => {
          const next = () => (--count > 0 ? back.requestVideoFrameCallback(next) : resolve());
          back.requestVideoFrameCallback(next);
        });
      await frames(5);
      decoded[0] = (await entry("inbound-rtp"))?.framesDecoded ?? 0;
      await frames(15);
      decoded[1] = (await entry("inbound-rtp"))?.framesDecoded ?? 0;
    }
    const state = channel?.readyState ?? null;
    pc.close();
    track.stop();
    socket.close();
    return { answer, sent, decoded, channel: state };
  }, wanted);
}
