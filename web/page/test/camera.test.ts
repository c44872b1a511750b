import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cameraChoices,
  cameraConstraints,
  cameraProblem,
  openCamera,
  unableProblem,
} from "../src/camera.ts";

const device = (deviceId: string, label: string, kind: MediaDeviceKind = "videoinput") => ({
  deviceId,
  label,
  kind,
});

test("before permission there is one unnamed choice, or front and back on a phone", () => {
  const unnamed = [device("", ""), device("", "", "audioinput")];
  assert.deepEqual(cameraChoices(unnamed, false), [{ value: "", label: "Default camera" }]);
  assert.deepEqual(
    cameraChoices(unnamed, true).map(({ value }) => value),
    ["facing:environment", "facing:user"],
  );
});

test("after permission cameras have names, and microphones are no cameras", () => {
  const devices = [device("1", "Desk"), device("2", "Door"), device("3", "Mic", "audioinput")];
  assert.deepEqual(cameraChoices(devices, false), [
    { value: "device:1", label: "Desk" },
    { value: "device:2", label: "Door" },
  ]);
  assert.equal(cameraChoices(devices, true).length, 4);
});

test("a choice becomes constraints", () => {
  assert.deepEqual(cameraConstraints("device:a:b", 720).deviceId, { exact: "a:b" });
  assert.deepEqual(cameraConstraints("facing:user", 720).facingMode, { ideal: "user" });
  const any = cameraConstraints("", 720);
  assert.deepEqual(any.width, { ideal: 1280 });
  assert.deepEqual(cameraConstraints("", 480).width, { ideal: 640 });
  assert.deepEqual(cameraConstraints("", 1080).height, { ideal: 1080 });
  assert.equal(any.deviceId, undefined);
});

test("a remembered camera that is gone falls back to any other", async () => {
  const asked: MediaStreamConstraints[] = [];
  const devices = {
    getUserMedia(constraints: MediaStreamConstraints) {
      asked.push(constraints);
      if (asked.length === 1) throw new DOMException("", "OverconstrainedError");
      return Promise.resolve("stream");
    },
  };
  assert.equal(await openCamera(devices as never, "device:gone", 1080), "stream");
  assert.deepEqual(asked[1], { audio: false, video: cameraConstraints("", 1080) });
});

test("each failure has its own words", () => {
  const words = ["NotAllowedError", "NotFoundError", "NotReadableError", "Other"].map((name) =>
    cameraProblem(new DOMException("strange", name)),
  );
  assert.match(words[0] ?? "", /blocked/);
  assert.match(words[1] ?? "", /No camera/);
  assert.match(words[2] ?? "", /busy/);
  assert.match(words[3] ?? "", /strange/);
});

const here = { host: "box.lan:8090", port: "8090" };

test("a page that is not secure says where it is", () => {
  for (const webRtc of [true, false]) {
    const words = unableProblem({ secure: false, camera: false, webRtc }, here) ?? "";
    assert.match(words, /https:\/\/box\.lan:8090/);
    assert.match(words, /http:\/\/localhost:8090/);
  }
});

test("a browser without WebRTC or cameras is told what it lacks, and what to do", () => {
  const words = (camera: boolean, webRtc: boolean) =>
    unableProblem({ secure: true, camera, webRtc }, here) ?? "nothing";
  for (const camera of [true, false]) assert.match(words(camera, false), /WebRTC.*another browser/);
  assert.match(words(false, true), /does not give cameras to pages.*another browser/);
  assert.equal(words(true, true), "nothing");
  // Browsers may trust a page that is not secure.
  const trusted = { secure: false, camera: true, webRtc: true };
  assert.equal(unableProblem(trusted, here), null);
});
