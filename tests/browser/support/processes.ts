// Programs that a test starts, and ends by their handle.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const START_MS = 20_000;
const END_MS = 5_000;

/** A program that tells its address in one line of its output, and ends with SIGTERM. */
export class Program {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #log = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, "exit");
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
  }

  static async start(
    command: string,
    args: string[],
    env: NodeJS.ProcessEnv,
    address: RegExp,
  ): Promise<{ program: Program; address: string }> {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    await once(child, "spawn");
    const program = new Program(child);
    const { stdout } = child;
    if (stdout === null) throw new Error("no standard output");
    const late = setTimeout(() => stdout.destroy(), START_MS);
    try {
      for await (const line of createInterface(stdout)) {
        const found = address.exec(line)?.[1];
        if (found !== undefined) return { program, address: found };
      }
    } finally {
      clearTimeout(late);
      // What it prints from here on is read, so that it never waits, and thrown away.
      stdout.resume();
    }
    child.kill("SIGKILL");
    throw new Error(`${command} ${args.join(" ")} did not tell its address:\n${program.log}`);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it has logged. */
  get log(): string {
    return this.#log;
  }

  /** Asks it to end. Throws unless it does in time and with code 0. */
  async stop(): Promise<void> {
    if (this.running) this.#child.kill("SIGTERM");
    const began = Date.now();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    if (this.running) await this.#exit;
    clearTimeout(late);
    const { exitCode, signalCode } = this.#child;
    if (exitCode === 0) return;
    const how = signalCode === null ? `code ${exitCode}` : `signal ${signalCode}`;
    throw new Error(`it ended after ${Date.now() - began} ms with ${how}:\n${this.#log}`);
  }
}
