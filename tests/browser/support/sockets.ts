// What goes over a page's WebSockets.
import type { BrowserContext, Page } from "@playwright/test";
import type { BrowserKind } from "./browsers.ts";

export interface Sockets {
  opened(url: string): void;
  received(text: string): void;
  sent(text: string): void;
}

type What = keyof Sockets;

/** Tells of the texts on the WebSockets of this page. To be called before it loads anything. */
export async function watchSockets(
  kind: BrowserKind,
  context: BrowserContext,
  page: Page,
  sockets: Sockets,
): Promise<void> {
  if (kind === "chromium") {
    page.on("websocket", (socket) => {
      sockets.opened(socket.url());
      socket.on("framereceived", ({ payload }) => sockets.received(payload.toString()));
      socket.on("framesent", ({ payload }) => {
        if (typeof payload === "string") sockets.sent(payload);
      });
    });
    return;
  }
  // WebDriver BiDi does not tell of WebSockets, so the page's own ones do.
  await context.exposeBinding("tellOfSocket", (source, what: What, text: string) => {
    if (source.page === page) sockets[what](text);
  });
  await context.addInitScript(() => {
    const tell = (what: What, text: string) => void (window as any).tellOfSocket(what, text);
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        tell("opened", this.url);
        this.addEventListener("message", ({ data }) => tell("received", String(data)));
      }

      override send(data: string | ArrayBufferView<ArrayBuffer>): void {
        if (typeof data === "string") tell("sent", data);
        super.send(data);
      }
    };
  });
}
