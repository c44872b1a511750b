// A VLM that answers by a script and remembers what it was asked.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Colour, dominantColour } from "./colours.ts";

export interface Question {
  prompt: string;
  systemPrompt: string;
  model: string;
  user: string;
  maxTokens: number;
  authorization: string;
  /** When it came, in ms by the monotonic clock. */
  at: number;
  colour: Colour;
  width: number;
  height: number;
  /** Of the picture's bytes, by which pictures can be told from each other. */
  digest: string;
}

export interface ScriptedVlmOptions {
  models?: string[];
  /** From the question to the last token. */
  latencyMs?: number;
  /** Only with this is it answered. */
  key?: string;
  answer?: (question: Question, number: number) => string;
}

interface Request {
  model: string;
  messages: { role: string; content: string | Part[] }[];
  max_tokens: number;
  user?: string;
}

type Part = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

/** An answer that quotes everything by which its question can be told from others. */
export function quoting(question: Question, number: number): string {
  const { model, prompt, colour, width, height } = question;
  return `Answer ${number}: ${model} was asked “${prompt}” and sees ${colour}, ${width} by ${height}.`;
}

export class ScriptedVlm {
  readonly questions: Question[] = [];
  readonly apiBase: string;
  readonly #server: Server;
  readonly #options: Required<Omit<ScriptedVlmOptions, "key">> & { key: string | undefined };
  #failing: number | null = null;

  private constructor(server: Server, options: ScriptedVlmOptions) {
    this.#server = server;
    this.#options = {
      models: options.models ?? ["scripted-vl"],
      latencyMs: options.latencyMs ?? 100,
      answer: options.answer ?? quoting,
      key: options.key,
    };
    const { port } = server.address() as AddressInfo;
    this.apiBase = `http://127.0.0.1:${port}/v1`;
  }

  static async start(options: ScriptedVlmOptions = {}): Promise<ScriptedVlm> {
    const server = createServer((request, response) => {
      vlm.#serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const vlm = new ScriptedVlm(server, options);
    return vlm;
  }

  /** Every question is refused with this status until `recover`. */
  fail(status: number): void {
    this.#failing = status;
  }

  recover(): void {
    this.#failing = null;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { key, models } = this.#options;
    const authorization = request.headers.authorization ?? "";
    if (key !== undefined && authorization !== `Bearer ${key}`) {
      refuse(response, 401, "wrong key");
    } else if (request.url === "/v1/models") {
      reply(response, 200, { object: "list", data: models.map((id) => ({ id, object: "model" })) });
    } else if (request.url !== "/v1/chat/completions") {
      refuse(response, 404, "not here");
    } else {
      const body = Buffer.concat(await request.toArray()).toString();
      if (this.#failing === null) await this.#answer(JSON.parse(body), authorization, response);
      else refuse(response, this.#failing, "the script says so");
    }
  }

  async #answer(request: Request, authorization: string, response: ServerResponse): Promise<void> {
    const question = read(request, authorization);
    this.questions.push(question);
    const text = this.#options.answer(question, this.questions.length);
    const tokens = text.match(/\s*\S+/g) ?? [];
    response.writeHead(200, { "content-type": "text/event-stream" });
    const say = (choices: object[], more: object = {}) =>
      response.write(`data: ${JSON.stringify({ model: question.model, choices, ...more })}\n\n`);
    for (const content of tokens) {
      await pause(this.#options.latencyMs / tokens.length);
      if (response.destroyed) return;
      say([{ index: 0, delta: { content }, finish_reason: null }]);
    }
    say([{ index: 0, delta: {}, finish_reason: "stop" }]);
    say([], { usage: { prompt_tokens: 100, completion_tokens: tokens.length } });
    response.end("data: [DONE]\n\n");
  }
}

function read(request: Request, authorization: string): Question {
  const parts = (role: string) =>
    request.messages
      .filter((message) => message.role === role)
      .flatMap(({ content }): Part[] =>
        typeof content === "string" ? [{ type: "text", text: content }] : content,
      );
  const text = (role: string) =>
    parts(role).flatMap((part) => (part.type === "text" ? [part.text] : [])).join(" ");
  const picture = parts("user").flatMap((part) =>
    part.type === "image_url" ? [part.image_url.url] : [],
  )[0];
  if (picture === undefined) throw new Error("a question without a picture");
  const jpeg = Buffer.from(picture.slice(picture.indexOf(",") + 1), "base64");
  return {
    prompt: text("user"),
    systemPrompt: text("system"),
    model: request.model,
    user: request.user ?? "",
    maxTokens: request.max_tokens,
    authorization,
    at: performance.now(),
    ...dominantColour(jpeg),
    digest: createHash("sha256").update(jpeg).digest("hex"),
  };
}

/** The script's own pace, which is what it stands in for; no test waits by this. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function refuse(response: ServerResponse, status: number, message: string): void {
  reply(response, status, { error: { message } });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
