// One page of live-vlm's own in a browser, with a camera that shows the time. What to do comes as
// lines on standard input: "play", "end". What the page tells goes out as a line of JSON every 250
// ms; network-page.js says what is in it.
//
// node network.mjs --url URL --prompt TEXT [--browser chromium|firefox] [--codec VP8|H264]
//   [--trusted KEY]
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { addTimeCode, isLostConnection, launchChromium, launchFirefox } from "./browsers.mjs";

const EVERY_MS = 250;
const START_MS = 30_000;

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    prompt: { type: "string" },
    browser: { type: "string", default: "chromium" },
    codec: { type: "string", default: "VP8" },
    trusted: { type: "string" },
  },
});

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

async function opened(browser) {
  // The server's certificate is its own.
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  await addTimeCode(context);
  await context.addInitScript((codec) => {
    window.networkTest = { codec };
  }, values.codec);
  await context.addInitScript({ path: join(import.meta.dirname, "network-page.js") });
  const page = await context.newPage();
  page.setDefaultTimeout(START_MS);
  page.on("pageerror", (error) => {
    if (!isLostConnection(error)) {
      say({ event: "uncaught", message: String(error) });
    }
  });
  await page.goto(values.url);
  await page.locator("#prompt").fill(values.prompt);
  await page.locator("#apply-prompt").click();
  await page.locator("#prompt-note", { hasText: "Applied" }).waitFor();
  return page;
}

/** Tells what is new until `ended` says that this is enough. */
async function tell(page, ended) {
  while (!ended()) {
    const began = Date.now();
    say({ event: "news", ...(await page.evaluate("networkTest.take()")) });
    const rest = EVERY_MS - (Date.now() - began);
    await new Promise((resolve) => setTimeout(resolve, Math.max(rest, 0)));
  }
}

async function run() {
  const { trusted } = values;
  const browser = await (values.browser === "firefox"
    ? launchFirefox()
    : launchChromium({ trusted }));
  let left = false;
  let failure = null;
  try {
    const page = await opened(browser);
    say({ event: "ready" });
    const telling = tell(page, () => left).catch((error) => {
      failure = error;
      process.stdin.destroy();
    });
    // Whoever started us and ends without a word closes our input.
    for await (const line of createInterface(process.stdin)) {
      if (line === "play") await page.locator("#play").click();
      if (line === "end") break;
    }
    left = true;
    await telling;
    if (failure !== null) throw failure;
  } finally {
    await browser.close();
    // An open input would keep this program going.
    process.stdin.destroy();
  }
}

run().catch((error) => {
  // Playwright appends the browser's log, which is long.
  say({ event: "failed", message: error.message.split("\n")[0] });
  process.exitCode = 1;
});
