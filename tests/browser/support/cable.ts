// A cable between browsers and a server that can be cut without anybody being told, as when a
// network goes away. Video does not go through it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server as Listener, type Socket } from "node:net";

export class Cable {
  /** Where browsers find the server through it. */
  readonly url: string;
  /** Connections that were begun so far. */
  connections = 0;
  readonly #listener: Listener;
  readonly #lines = new Set<Line>();
  #whole = true;

  private constructor(listener: Listener, port: number) {
    this.#listener = listener;
    const { port: own } = listener.address() as AddressInfo;
    this.url = `http://127.0.0.1:${own}`;
    listener.on("connection", (client) => {
      this.connections++;
      const line = new Line(client, connect(port, "127.0.0.1"));
      if (!this.#whole) line.cut();
      this.#lines.add(line);
      line.ended.then(() => this.#lines.delete(line));
    });
  }

  static async to(server: { port: number }): Promise<Cable> {
    const listener = createServer({ allowHalfOpen: true });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return new Cable(listener, server.port);
  }

  /** Nothing goes through any more, by connections that there are or will be. */
  cut(): void {
    this.#whole = false;
    this.loseAll();
  }

  /** New connections work; those from before the cut stay dead. */
  mend(): void {
    this.#whole = true;
  }

  /** Nothing goes any more by the connections that there are, as when the address changes. */
  loseAll(): void {
    for (const line of this.#lines) line.cut();
  }

  async remove(): Promise<void> {
    this.#listener.close();
    for (const line of this.#lines) line.end();
    await once(this.#listener, "close");
  }
}

/** One connection through it. */
class Line {
  readonly ended: Promise<unknown>;
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(client: Socket, server: Socket) {
    this.#client = client;
    this.#server = server;
    for (const end of [client, server]) end.on("error", () => this.end());
    client.pipe(server);
    server.pipe(client);
    this.ended = Promise.all([client, server].map((end) => once(end, "close")));
  }

  cut(): void {
    for (const end of [this.#client, this.#server]) end.unpipe().pause();
  }

  end(): void {
    this.#client.destroy();
    this.#server.destroy();
  }
}
