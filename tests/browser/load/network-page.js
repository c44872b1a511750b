// Runs in live-vlm's own page, before anything of the page does. Gives it a camera that shows the
// time, and keeps account of what comes to it, what it says, and what its connections count.
// `networkTest.take()` gives what is new.
(() => {
  // Not on the blank page that a browser begins with.
  if (navigator.mediaDevices === undefined) return;
  const SIZE = { width: 640, height: 480 };
  const FRAMES_A_SECOND = 30;
  const test = window.networkTest;
  const peers = [];
  let said = [];
  let answers = [];
  let pressed = null;

  /** Many rectangles: about as much for an encoder as what cameras see. */
  function scenery() {
    const canvas = Object.assign(document.createElement("canvas"), {
      width: 2 * SIZE.width,
      height: SIZE.height,
    });
    const context = canvas.getContext("2d", { alpha: false });
    // Always the same ones.
    let state = 1;
    const chance = (below) => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    for (let count = 0; count < 3000; count++) {
      context.fillStyle = `rgb(${chance(256)} ${chance(256)} ${chance(256)})`;
      const [left, top] = [chance(canvas.width), chance(canvas.height)];
      context.fillRect(left, top, 8 + chance(48), 8 + chance(48));
    }
    return canvas;
  }

  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    // As for a person who allows the camera: browsers tell their addresses only then.
    for (const track of (await open(constraints)).getTracks()) track.stop();
    const canvas = Object.assign(document.createElement("canvas"), SIZE);
    const context = canvas.getContext("2d", { alpha: false });
    const behind = scenery();
    let frame = 0;
    const draw = () => {
      context.drawImage(behind, -(frame++ % SIZE.width), 0);
      drawTime(context, SIZE.width, Date.now());
    };
    draw();
    const timer = setInterval(draw, 1000 / FRAMES_A_SECOND);
    const stream = canvas.captureStream(FRAMES_A_SECOND);
    const [track] = stream.getVideoTracks();
    const stop = track.stop.bind(track);
    track.stop = () => {
      clearInterval(timer);
      stop();
    };
    return stream;
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      peers.push(this);
    }

    addTransceiver(...options) {
      const transceiver = super.addTransceiver(...options);
      const { codecs } = RTCRtpSender.getCapabilities("video");
      const wanted = ({ mimeType }) => mimeType.toUpperCase() === `VIDEO/${test.codec}`;
      const first = codecs.filter(wanted);
      if (first.length === 0) throw new Error(`this browser has no ${test.codec}`);
      const others = codecs.filter((codec) => !wanted(codec));
      transceiver.setCodecPreferences([...first, ...others]);
      return transceiver;
    }
  };

  window.WebSocket = class extends WebSocket {
    constructor(...options) {
      super(...options);
      this.addEventListener("message", ({ data }) => {
        const at = Date.now();
        const message = JSON.parse(data);
        if (message.type === "vlm_response") answers.push({ at, text: message.text });
        if (message.type === "history") {
          for (const { text } of message.answers) answers.push({ at, text });
        }
      });
    }
  };

  /** What stands in the page's lines of state and of problems. */
  function words() {
    const texts = (selector) =>
      [...document.querySelectorAll(selector)]
        .filter((element) => !element.closest("[hidden]"))
        .map((element) => element.textContent.trim().replace(/\s+/g, " "))
        .filter((text) => text !== "");
    return {
      state: texts("#connection").join(" "),
      problems: texts("#problem > li"),
    };
  }

  document.addEventListener("DOMContentLoaded", () => {
    let last = "";
    const look = () => {
      const now = words();
      const text = JSON.stringify(now);
      if (text === last) return;
      last = text;
      said.push({ at: Date.now(), ...now });
    };
    look();
    new MutationObserver(look).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: ["hidden"],
    });
    document.addEventListener(
      "click",
      (event) => {
        if (event.target.closest("#play")) pressed = Date.now();
      },
      { capture: true },
    );
  });

  /** What a connection has counted since it began. A closed one counts nothing. */
  async function counted(peer, number) {
    if (peer.connectionState === "closed") return [];
    const stats = [...(await peer.getStats()).values()];
    const sent = stats.find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
    if (sent === undefined) return [];
    const by = (id) => stats.find((each) => each.id === id);
    const transport = stats.find(({ type }) => type === "transport");
    const pair =
      by(transport?.selectedCandidatePairId) ??
      stats.find(({ type, selected }) => type === "candidate-pair" && selected);
    const local = by(pair?.localCandidateId);
    const remote = by(pair?.remoteCandidateId);
    return [
      {
        number,
        requests: (sent.firCount ?? 0) + (sent.pliCount ?? 0),
        key_frames: sent.keyFramesEncoded ?? null,
        nacks: sent.nackCount ?? 0,
        bytes: sent.bytesSent ?? 0,
        packets: sent.packetsSent ?? 0,
        resent: sent.retransmittedPacketsSent ?? 0,
        frames: sent.framesEncoded ?? 0,
        width: sent.frameWidth ?? null,
        height: sent.frameHeight ?? null,
        codec: by(sent.codecId)?.mimeType ?? null,
        path:
          local && remote
            ? `${local.candidateType}${local.relayProtocol ? `/${local.relayProtocol}` : ""} to ${remote.candidateType}`
            : null,
      },
    ];
  }

  test.take = async () => {
    const at = Date.now();
    const all = (await Promise.all(peers.map(counted))).flat();
    const news = { at, pressed, said, answers, peers: all };
    said = [];
    answers = [];
    return news;
  };
})();
