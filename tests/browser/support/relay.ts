// A relay (TURN, RFC 8656) that is of no use: what it does when somebody asks for an address.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";

/** It says nothing; refuses every name; or lets in, and passes nothing on. */
export type RelayManner = "silent" | "refusing" | "leading nowhere";

const MAGIC = 0x2112a442;
const HEADER = 20;
const ALLOCATE = 0x003;
const SUCCESS = 0x100;
const FAILURE = 0x110;
const [USERNAME, INTEGRITY, ERROR_CODE, LIFETIME] = [0x006, 0x008, 0x009, 0x00d];
const [REALM, NONCE, RELAYED, MAPPED] = [0x014, 0x015, 0x016, 0x020];
/** Where nobody is (RFC 5737). */
const NOWHERE = "192.0.2.1";
const REALM_TEXT = "live-vlm.test";

export class Relay {
  readonly #socket: Socket;
  readonly #manner: RelayManner;
  readonly #secret = randomBytes(16).toString("hex");
  readonly #nonce = randomBytes(8).toString("hex");

  private constructor(socket: Socket, manner: RelayManner) {
    this.#socket = socket;
    this.#manner = manner;
    socket.on("message", (message, from) => this.#answer(message, from));
  }

  static async start(manner: RelayManner): Promise<Relay> {
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    return new Relay(socket, manner);
  }

  get url(): string {
    return `turn:127.0.0.1:${this.#socket.address().port}`;
  }

  /** What tells the server of it. */
  get args(): string[] {
    return [`--turn-server=${this.url}`, `--turn-secret=${this.#secret}`];
  }

  async stop(): Promise<void> {
    await new Promise<void>((closed) => this.#socket.close(() => closed()));
  }

  #answer(request: Buffer, from: RemoteInfo): void {
    if (this.#manner === "silent" || request.readUInt32BE(4) !== MAGIC) return;
    const method = request.readUInt16BE(0);
    const name = attribute(request, USERNAME)?.toString();
    if (name === undefined || this.#manner === "refusing") {
      const refusal = [
        [ERROR_CODE, Buffer.from([0, 0, 4, 1])],
        [REALM, Buffer.from(REALM_TEXT)],
        [NONCE, Buffer.from(this.#nonce)],
      ] as const;
      this.#send(method | FAILURE, request, refusal, null, from);
      return;
    }
    const place = [
      [RELAYED, xorAddress(NOWHERE, 9)],
      [MAPPED, xorAddress(from.address, from.port)],
      [LIFETIME, Buffer.from([0, 0, 2, 88])],
    ] as const;
    const attributes = method === ALLOCATE ? place : [];
    const password = createHmac("sha1", this.#secret).update(name).digest("base64");
    const key = createHash("md5").update(`${name}:${REALM_TEXT}:${password}`).digest();
    this.#send(method | SUCCESS, request, attributes, key, from);
  }

  #send(
    type: number,
    request: Buffer,
    attributes: readonly (readonly [number, Buffer])[],
    key: Buffer | null,
    to: RemoteInfo,
  ): void {
    const body = Buffer.concat(attributes.map(([kind, value]) => written(kind, value)));
    const header = Buffer.from(request.subarray(0, HEADER));
    header.writeUInt16BE(type, 0);
    // With the integrity that follows: 4 and 20 bytes.
    header.writeUInt16BE(body.length + (key === null ? 0 : 24), 2);
    const message = Buffer.concat([header, body]);
    const integrity = key === null ? [] : [written(INTEGRITY, createHmac("sha1", key).update(message).digest())];
    this.#socket.send(Buffer.concat([message, ...integrity]), to.port, to.address);
  }
}

function written(kind: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function attribute(message: Buffer, wanted: number): Buffer | null {
  for (let at = HEADER; at + 4 <= message.length; ) {
    const length = message.readUInt16BE(at + 2);
    if (message.readUInt16BE(at) === wanted) return message.subarray(at + 4, at + 4 + length);
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return null;
}

/** An IPv4 address and a port, XORed as STUN has it. */
function xorAddress(host: string, port: number): Buffer {
  const address = Buffer.alloc(8);
  address.writeUInt8(1, 1);
  address.writeUInt16BE(port ^ (MAGIC >>> 16), 2);
  const bytes = Buffer.from(host.split(".").map(Number));
  address.writeUInt32BE((bytes.readUInt32BE() ^ MAGIC) >>> 0, 4);
  return address;
}
