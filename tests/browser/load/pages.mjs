// Chromium pages that send a camera to a server's /offer and read its /ws, as live-vlm-webui's and
// live-vlm's own pages do. One line of JSON per event goes to standard output.
//
// node pages.mjs --url URL --pages N --seconds S --answer PREFIX [--camera FILE.y4m] [--receive]
import { parseArgs } from "node:util";
import { addTimeCode, launchChromium } from "./browsers.mjs";

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    pages: { type: "string", default: "4" },
    seconds: { type: "string", default: "40" },
    answer: { type: "string", default: "number " },
    camera: { type: "string" },
    receive: { type: "boolean", default: false },
  },
});

/** Runs in the page. Connects, and keeps account of what comes. */
async function connect({ receive, answer }) {
  const size = { width: 640, height: 480 };

  // The camera's picture with the time in it, as tests/load/src/timecode.rs reads it.
  const camera = await navigator.mediaDevices.getUserMedia({ video: { ...size, frameRate: 30 } });
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = camera;
  await video.play();
  const canvas = Object.assign(document.createElement("canvas"), size);
  const context = canvas.getContext("2d", { alpha: false });
  const draw = () => {
    context.drawImage(video, 0, 0, size.width, size.height);
    drawTime(context, size.width, Date.now());
  };
  draw();
  setInterval(draw, 1000 / 30);
  const stream = canvas.captureStream(30);
  const [track] = stream.getVideoTracks();

  const began = performance.now();
  const id = crypto.randomUUID();
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?session_id=${id}`);
  const got = { first: null, ages: [], messages: 0, last: null, since: began };
  let tellFirst;
  got.answered = new Promise((resolve) => {
    tellFirst = resolve;
  });
  socket.addEventListener("message", ({ data }) => {
    got.messages += 1;
    const message = JSON.parse(data);
    // live-vlm-webui repeats its answer with every frame.
    if (message.type !== "vlm_response" || message.text === got.last) return;
    got.last = message.text;
    if (!message.text.startsWith(answer)) return;
    got.ages.push(Date.now() - Number(message.text.slice(answer.length)));
    got.first ??= performance.now() - began;
    tellFirst();
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));

  const pc = new RTCPeerConnection();
  pc.addTransceiver(track, {
    direction: receive ? "sendrecv" : "sendonly",
    streams: [stream],
    sendEncodings: [{ maxBitrate: 1_500_000 }],
  });
  if (receive) {
    const back = document.createElement("video");
    back.muted = true;
    pc.addEventListener("track", (event) => {
      back.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void back.play();
    });
  }
  // Without trickling, which live-vlm-webui does not know.
  const gathered = new Promise((resolve) => {
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") resolve();
    });
  });
  await pc.setLocalDescription(await pc.createOffer());
  await gathered;
  const offered = await fetch("/offer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sdp: pc.localDescription.sdp, type: "offer", session_id: id }),
  });
  if (!offered.ok) throw new Error(`the offer was refused: ${await offered.text()}`);
  const { sdp, type } = await offered.json();
  await pc.setRemoteDescription({ sdp, type });

  window.load = {
    answered: () => got.answered,
    begin: () => Object.assign(got, { ages: [], messages: 0, since: performance.now() }),
    end: () => ({
      first_ms: got.first,
      ages_ms: got.ages,
      messages: got.messages,
      measured_ms: performance.now() - got.since,
    }),
    leave: () => {
      pc.close();
      socket.close();
    },
  };
}

async function measure() {
  const browser = await launchChromium({ camera: values.camera });
  try {
    // A page of the server's own origin, with its cookie and without its script. It has to come
    // from the server: to one that does not, Chromium denies the local network. Such a page may do
    // nothing by itself (Content-Security-Policy), so that is not asked.
    const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
    await addTimeCode(context);
    const blank = new URL("/no-such-page-but-of-this-origin", values.url).href;
    await context.request.get(values.url);
    const pages = [];
    for (let number = 0; number < Number(values.pages); number++) {
      const page = await context.newPage();
      await page.goto(blank);
      pages.push(page);
    }
    const answered = pages.map(async (page) => {
      await page.evaluate(connect, values);
      await page.evaluate("load.answered()");
    });
    const limit = new Promise((_, reject) => {
      setTimeout(() => reject(new Error("a page had no answer within 30 s")), 30_000).unref();
    });
    await Promise.race([limit, Promise.all(answered)]);
    await Promise.all(pages.map((page) => page.evaluate("void load.begin()")));
    say({ event: "begin" });
    await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
    const got = await Promise.all(pages.map((page) => page.evaluate("load.end()")));
    say({ event: "end" });
    for (const page of got) say({ event: "page", ...page });
    await Promise.all(pages.map((page) => page.evaluate("load.leave()")));
  } finally {
    await browser.close();
  }
}

measure().catch((error) => {
  // Playwright appends the browser's log, which is long.
  say({ event: "failed", message: error.message.split("\n")[0] });
  process.exitCode = 1;
});
