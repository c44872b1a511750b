// Pictures in place of video: when they are sent, and what is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromDataUrl, pictureMessage, smaller } from "../src/jpeg.ts";
import { fitted } from "../src/picture.ts";
import type { Send } from "../src/pictures.ts";
import { Pictures } from "../src/pictures.ts";

/** What the person chooses, and how often the server was told. */
function pictures(choice: Send = "automatic") {
  const state = { choice, told: 0 };
  const made = new Pictures(
    () => state.choice,
    () => state.told++,
  );
  return { state, made };
}

test("pictures are sent when video does not get through, until the server takes video again", () => {
  const { state, made } = pictures();
  assert.deepEqual([made.sent, made.only, made.instead], [false, false, false]);
  assert.equal(made.unreached(), true);
  made.begin();
  made.told("pictures");
  assert.deepEqual([made.sent, made.only, made.instead], [true, false, true]);
  made.replaced();
  assert.deepEqual([made.sent, made.instead], [false, true]);
  made.hopeful();
  assert.equal(made.instead, false);
  assert.equal(state.told, 1);
});

test("who wants video gets no pictures, and who wants pictures gets no video", () => {
  const video = pictures("video");
  assert.equal(video.made.unreached(), false);
  const only = pictures("pictures");
  assert.deepEqual(
    [only.made.only, only.made.unreached(), only.made.instead],
    [true, false, false],
  );
});

test("a server that takes nothing else gets pictures, as long as it says so", () => {
  const { made } = pictures();
  made.told("pictures");
  assert.deepEqual([made.sent, made.only], [true, true]);
  made.begin();
  made.told("pictures");
  made.replaced();
  assert.equal(made.only, true);
  made.told("on_demand");
  assert.equal(made.only, false);
});

test("a server that takes no pictures is not sent any, whatever is chosen", () => {
  for (const choice of ["automatic", "pictures"] as const) {
    const { made } = pictures(choice);
    made.unreached();
    made.begin();
    made.refused();
    assert.deepEqual([made.sent, made.only, made.instead], [false, false, false]);
    assert.equal(made.unreached(), false);
    made.forgotten();
    assert.equal(made.unreached() || made.only, true);
  }
});

test("what a server remembers of this page is not taken for its own wish", () => {
  const { made } = pictures();
  made.unreached();
  made.begin();
  made.forgotten();
  made.told("pictures");
  assert.deepEqual([made.only, made.instead], [false, true]);
  made.hopeful();
  made.told("pictures");
  assert.deepEqual([made.sent, made.only, made.instead], [false, false, false]);
  made.demanded();
  assert.equal(made.only, true);
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

test("a picture that is too large is made smaller, as much as it has to be", () => {
  const size = { width: 1000, height: 500 };
  assert.deepEqual(smaller(size, 100_000, 50_000), { width: 636, height: 318 });
  assert.deepEqual(smaller(size, 1e9, 50_000), { width: 250, height: 125 });
  assert.deepEqual(smaller({ width: 1, height: 1 }, 1e9, 1), { width: 1, height: 1 });
});

test("what a canvas gives in place of a JPEG is not taken for one", () => {
  assert.deepEqual(fromDataUrl("data:image/jpeg;base64,/9g="), Uint8Array.of(0xff, 0xd8));
  assert.equal(fromDataUrl("data:image/png;base64,/9g="), null);
  assert.equal(fromDataUrl("data:,"), null);
});
