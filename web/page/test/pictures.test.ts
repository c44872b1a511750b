// Pictures in place of video: when they are sent, and what is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromDataUrl, pictureMessage } from "../src/jpeg.ts";
import { fitted } from "../src/picture.ts";
import type { Send } from "../src/pictures.ts";
import { Pictures } from "../src/pictures.ts";

/** What was told to the server, and what the person chooses. */
function pictures(choice: Send = "automatic") {
  const state = { choice, told: [] as boolean[] };
  const made = new Pictures(
    () => state.choice,
    (on) => state.told.push(on),
  );
  return { state, made };
}

test("pictures are sent when video does not get through, and no longer when it does", () => {
  const { state, made } = pictures();
  made.begin();
  assert.deepEqual([made.sent, made.only], [false, false]);
  assert.equal(made.unreached(), true);
  made.told("pictures");
  assert.deepEqual([made.sent, made.only, made.instead], [true, false, true]);
  // Video is tried again.
  made.begin();
  made.unreached();
  assert.deepEqual(state.told, [true]);
  made.reached();
  made.told("on_demand");
  assert.deepEqual([made.sent, made.instead], [false, false]);
  assert.deepEqual(state.told, [true, false]);
});

test("who wants video gets no pictures, and who wants pictures gets no video", () => {
  const video = pictures("video");
  video.made.begin();
  assert.equal(video.made.unreached(), false);
  assert.deepEqual(video.state.told, []);
  const only = pictures("pictures");
  only.made.begin();
  assert.deepEqual([only.made.sent, only.made.only, only.made.instead], [true, true, false]);
  assert.deepEqual(only.state.told, [true]);
});

test("pictures go on until the video that was chosen gets through, or does not", () => {
  for (const gets of [true, false]) {
    const { state, made } = pictures("pictures");
    made.begin();
    state.choice = "video";
    made.begin();
    assert.equal(made.sent, true);
    if (gets) made.reached();
    else made.unreached();
    assert.equal(made.sent, false);
    assert.deepEqual(state.told, [true, false]);
  }
});

test("a server that is back is told again, and one that wants pictures gets them", () => {
  const { state, made } = pictures();
  made.unreached();
  made.forgotten();
  assert.equal(made.sent, false);
  made.begin();
  assert.deepEqual(state.told, [true, true]);
  const other = pictures();
  other.made.told("pictures");
  assert.deepEqual([other.made.sent, other.made.only], [true, true]);
  other.made.told("all");
  assert.equal(other.made.sent, false);
  assert.deepEqual(other.state.told, []);
});

test("a picture's message begins with its number and its age, highest byte first", () => {
  const message = pictureMessage(258, 40.4, Uint8Array.of(0xff, 0xd8));
  assert.deepEqual([...message], [0, 0, 1, 2, 0, 0, 0, 40, 0xff, 0xd8]);
  assert.deepEqual(
    [...pictureMessage(0xffffffff, -1, new Uint8Array())].slice(0, 8),
    [255, 255, 255, 255, 0, 0, 0, 0],
  );
});

test("a picture keeps its shape, and is never made larger", () => {
  const size = { width: 1280, height: 720 };
  assert.deepEqual(fitted(size, 0), size);
  assert.deepEqual(fitted(size, 4000), size);
  assert.deepEqual(fitted(size, 640), { width: 640, height: 360 });
  assert.deepEqual(fitted({ width: 720, height: 1280 }, 640), { width: 360, height: 640 });
  assert.deepEqual(fitted({ width: 4000, height: 1 }, 100), { width: 100, height: 1 });
});

test("what a canvas gives in place of a JPEG is not taken for one", () => {
  assert.deepEqual(fromDataUrl("data:image/jpeg;base64,/9g="), Uint8Array.of(0xff, 0xd8));
  assert.equal(fromDataUrl("data:image/png;base64,/9g="), null);
  assert.equal(fromDataUrl("data:,"), null);
});
