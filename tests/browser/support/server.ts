import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { Program } from "./processes.ts";
import { descendants, type Held, held } from "./proc.ts";

const BINARY = resolve(
  process.env.LIVE_VLM_BINARY ?? join(import.meta.dirname, "../../../target/debug/live-vlm-under-test"),
);

/** Here one host is many people. */
const UNLIMITED = [
  "--connections-per-address=0",
  "--sessions-per-user=0",
  "--questions-per-minute=0",
  "--offers-per-minute=0",
];

export interface ServerOptions {
  /** The VLM's address; without it the built-in demo-vlm answers. */
  apiBase?: string;
  /** For a server that is to come back where it was. */
  port?: number;
  args?: string[];
}

/** A running `live-vlm` with settings of its own. */
export class Server {
  readonly url: string;
  /** What follows its address where it says one that signs in; empty if nobody needs to. */
  readonly invitation: string;
  readonly #program: Program;
  readonly #home: string;

  private constructor(url: string, invitation: string, program: Program, home: string) {
    this.url = url;
    this.invitation = invitation === "" ? "" : `/${invitation}`;
    this.#program = program;
    this.#home = home;
  }

  static async start({ apiBase, port = 0, args = [] }: ServerOptions = {}): Promise<Server> {
    const home = await mkdtemp(join(tmpdir(), "live-vlm-server-"));
    const vlm = apiBase === undefined ? [] : ["--api-base", apiBase];
    const { program, address } = await Program.start(
      BINARY,
      ["--host", "127.0.0.1", "--port", String(port), ...vlm, ...UNLIMITED, ...args],
      cleanEnvironment(home),
      /Open:\s+(http:\/\/127\.0\.0\.1:\d+\S*)/,
    );
    const { origin, hash } = new URL(address);
    return new Server(origin, hash, program, home);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get log(): string {
    return this.#program.log;
  }

  /** A key for this user, as its operator makes one; gives the key and its id. */
  async addKey(user: string): Promise<{ key: string; id: string }> {
    const shown = await this.#keys("add", "--user", user);
    const key = /^lvk_\S+/.exec(shown)?.[0];
    const id = /its ID is (\w+)/.exec(shown)?.[1];
    if (key === undefined || id === undefined) throw new Error(`no key: ${shown}`);
    return { key, id };
  }

  async revokeKey(id: string): Promise<void> {
    await this.#keys("revoke", id);
  }

  async #keys(...args: string[]): Promise<string> {
    const env = cleanEnvironment(this.#home);
    return (await promisify(execFile)(BINARY, ["keys", ...args], { env })).stdout;
  }

  /** What its processes hold just now. */
  held(): Promise<Held> {
    return held(this.#program.pid);
  }

  /** The ids of its media processes, the oldest first. The newest is nobody's yet. */
  async mediaProcesses(): Promise<number[]> {
    // The first one is what forks them.
    return (await descendants(this.#program.pid)).slice(1);
  }

  async stop(): Promise<void> {
    try {
      await this.#program.stop();
    } finally {
      await rm(this.#home, { recursive: true, force: true });
    }
  }
}

/** Only the demo-vlm of the same binary: what a test measures against. */
export async function startDemoVlm(args: string[]): Promise<{ program: Program; apiBase: string }> {
  const { program, address } = await Program.start(
    BINARY,
    ["demo-vlm", "--port", "0", ...args],
    cleanEnvironment(tmpdir()),
    /API:\s+(http:\/\/\S+)/,
  );
  return { program, apiBase: address };
}

/** Nothing that whoever runs the tests has set for their own server. */
function cleanEnvironment(home: string): NodeJS.ProcessEnv {
  const own = /^(LIVE_VLM_|OTEL_|VLM_|XDG_(CONFIG|STATE)_HOME$|https?_proxy$|all_proxy$)/i;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), XDG_CONFIG_HOME: home, XDG_STATE_HOME: home };
}
