// A person with a browser and a camera.
import { type BrowserContext, expect, type Page } from "@playwright/test";
import type { BrowserKind, BrowserOptions, Browsers } from "./browsers.ts";
import type { Server } from "./server.ts";
import { watchSockets } from "./sockets.ts";

export type ViewerOptions = BrowserOptions;

interface Message {
  type: string;
  [field: string]: unknown;
}

export class Viewer {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Every text that came over a WebSocket, the oldest first. */
  readonly received: string[] = [];
  readonly sent: string[] = [];
  /** The ids of the sessions that the page has had. */
  readonly sessionIds: string[] = [];
  readonly #options: ViewerOptions;
  readonly #complaints: string[] = [];
  readonly #expected: RegExp[] = [];

  private constructor(options: ViewerOptions, context: BrowserContext, page: Page) {
    this.#options = options;
    this.context = context;
    this.page = page;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        this.#complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    page.on("pageerror", (error) => this.#complaints.push(`uncaught: ${error.stack ?? error}`));
  }

  static async start(
    kind: BrowserKind,
    browsers: Browsers,
    options: ViewerOptions = {},
  ): Promise<Viewer> {
    const context = await browsers.open(options);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`against the content security policy: ${event.violatedDirective}`);
      });
    });
    const page = await context.newPage();
    const viewer = new Viewer(options, context, page);
    await watchSockets(kind, context, page, {
      opened: (url) => {
        const id = new URL(url).searchParams.get("session_id");
        if (id !== null) viewer.sessionIds.push(id);
      },
      received: (text) => viewer.received.push(text),
      sent: (text) => viewer.sent.push(text),
    });
    return viewer;
  }

  /** Opens the server's page and waits until it is ready. */
  async visit(server: Pick<Server, "url">): Promise<this> {
    const greetings = () => this.messages("server_config").length;
    const before = greetings();
    await this.page.goto(server.url);
    await expect(this.connection).toHaveText("Ready");
    // The page is ready when the connection is; what it begins with comes a moment later.
    await expect.poll(greetings).toBeGreaterThan(before);
    return this;
  }

  /** Presses Play and waits for the video to run. */
  async play(): Promise<void> {
    await this.playButton.click();
    await expect(this.connection).toHaveText("Live");
  }

  async stop(): Promise<void> {
    await this.playButton.click();
    await expect(this.playButton).toHaveText("Play");
  }

  async ask(prompt: string): Promise<void> {
    await this.prompt.fill(prompt);
    await this.page.getByTestId("apply-prompt").click();
    await expect(this.page.locator("#prompt-note")).toHaveText("Applied");
  }

  /** Sets a number and waits until the server has confirmed it. */
  async set(field: "interval" | "max-tokens" | "min-change", value: number): Promise<void> {
    if (field === "min-change") await this.askOnChangeOnly();
    await this.write(field, String(value));
    await expect(this.page.locator(`#${field}-note`)).toHaveText("Applied");
  }

  /** Ticks the box that asks only when the picture changes, with which its number is shown. */
  async askOnChangeOnly(): Promise<void> {
    const box = this.page.getByTestId("min-change-on");
    if (await box.isChecked()) return;
    await box.check();
    await expect(this.page.locator("#min-change-note")).toHaveText("Applied");
  }

  /** Chooses what the page sends. */
  async send(what: "automatic" | "video" | "pictures"): Promise<void> {
    const choice = this.page.getByTestId("send");
    if (!(await choice.isVisible())) await this.page.getByTestId("picture").getByText("Picture", { exact: true }).click();
    await choice.selectOption(what);
  }

  /** Replaces what stands in a field, and leaves the field. */
  async write(field: string, text: string): Promise<void> {
    const input = this.page.getByTestId(field);
    // In Firefox a number would be added to what stands there.
    await input.clear();
    await input.fill(text);
    await input.blur();
  }

  async chooseModel(model: string): Promise<void> {
    await this.page.getByTestId("model").selectOption(model);
    await expect(this.page.locator("#model-note")).toHaveText("Applied");
  }

  /** What the page's settings show. */
  async controls(): Promise<Record<string, string>> {
    const names = ["prompt", "interval", "max-tokens", "min-change", "system-prompt", "model"];
    const values = names.map((name) => this.page.getByTestId(name).inputValue());
    return Object.fromEntries((await Promise.all(values)).map((value, at) => [names[at], value]));
  }

  /** Has the server take whatever pages send it as video for a stranger's, as if it had not come. */
  async blockVideo(): Promise<void> {
    await this.context.addInitScript(() => {
      const Real = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Real {
        override setRemoteDescription(answer: RTCSessionDescriptionInit): Promise<void> {
          const sdp = (answer.sdp ?? "").replace(/^a=ice-pwd:\S+/gm, `a=ice-pwd:${"x".repeat(24)}`);
          return super.setRemoteDescription({ ...answer, sdp });
        }
      };
    });
  }

  /** Pages from now on keep their newest connection: `window.connection`. */
  async keepConnection(): Promise<void> {
    await this.context.addInitScript(() => {
      const Real = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Real {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          Object.assign(window, { connection: this });
        }
      };
    });
  }

  /** Pages from now on read clocks that are so many ms ahead: `window.clocks`, to be set. */
  async canSetClocks(): Promise<void> {
    await this.context.addInitScript(() => {
      const [wall, monotonic] = [Date.now, performance.now.bind(performance)];
      const clocks = { wall: 0, monotonic: 0 };
      Object.assign(window, { clocks });
      Date.now = () => wall() + clocks.wall;
      performance.now = () => monotonic() + clocks.monotonic;
    });
  }

  /** Every state that the page tells from now on, in order, with the time in seconds. */
  async watchStates(): Promise<() => Promise<{ at: number; words: string }[]>> {
    await this.connection.evaluate((badge) => {
      const began = performance.now();
      const told: { at: number; words: string }[] = [];
      (window as any).told = told;
      const words = badge.querySelector(".words");
      const note = () => {
        const text = words?.textContent ?? "";
        if (told.at(-1)?.words !== text) {
          told.push({ at: (performance.now() - began) / 1000, words: text });
        }
      };
      new MutationObserver(note).observe(badge, {
        childList: true,
        characterData: true,
        subtree: true,
      });
      note();
    });
    return () => this.page.evaluate(() => (window as any).told);
  }

  /** The messages of one type that came so far. */
  messages(type: string): Message[] {
    return this.received
      .map((text) => JSON.parse(text) as Message)
      .filter((message) => message.type === type);
  }

  /** The texts of the complete answers so far. */
  get answers(): string[] {
    return this.messages("vlm_response").map(({ text }) => String(text));
  }

  /** Waits until `more` further answers are complete. */
  async readAnswers(more: number): Promise<void> {
    const wanted = this.answers.length + more;
    await expect.poll(() => this.answers.length, { timeout: 30_000, intervals: [100] }).toBeGreaterThanOrEqual(wanted);
  }

  get sessionId(): string {
    const id = this.sessionIds.at(-1);
    if (id === undefined) throw new Error("the page has no session yet");
    return id;
  }

  get connection() {
    return this.page.getByTestId("connection");
  }

  get playButton() {
    return this.page.getByTestId("play");
  }

  get answer() {
    return this.page.getByTestId("answer");
  }

  get prompt() {
    return this.page.getByTestId("prompt");
  }

  get problem() {
    return this.page.getByTestId("problem");
  }

  /** The test provokes complaints of the browser's console that match. */
  expectComplaint(like: RegExp): void {
    this.#expected.push(like);
  }

  /** What the browser complained of, other than what the test provoked. */
  get complaints(): string[] {
    return this.#complaints.filter((text) => !this.#expected.some((like) => like.test(text)));
  }

  /** The browser is gone at once, as with its computer. */
  async vanish(): Promise<void> {
    await this.context.browser()?.close();
  }

  /** Closes all that this person has open. */
  async leave(browsers: Browsers): Promise<void> {
    await browsers.putBack(this.context, this.#options);
  }
}
