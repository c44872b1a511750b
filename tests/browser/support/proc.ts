// What a process and those that it has started hold, by what Linux says about them.
import { readFile, readdir, readlink } from "node:fs/promises";

export interface Held {
  threads: number;
  udpSockets: number;
}

export async function held(pid: number): Promise<Held> {
  const all = await Promise.all([pid, ...(await descendants(pid))].map(heldByOne));
  return {
    threads: all.reduce((sum, { threads }) => sum + threads, 0),
    udpSockets: all.reduce((sum, { udpSockets }) => sum + udpSockets, 0),
  };
}

/** The processes that this one has started, and those that they have. */
export async function descendants(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const read = (thread: string) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => "");
  const children = (await Promise.all(threads.map(read))).join(" ").split(" ").filter((id) => id !== "");
  const theirs = await Promise.all(children.map((id) => descendants(Number(id))));
  return [...children.map(Number), ...theirs.flat()];
}

async function heldByOne(pid: number): Promise<Held> {
  // A process may end meanwhile.
  const threads = (await readdir(`/proc/${pid}/task`).catch(() => [])).length;
  const udp = new Set<string>();
  for (const table of ["udp", "udp6"]) {
    const lines = await readFile(`/proc/${pid}/net/${table}`, "utf8").catch(() => "");
    // The tenth column is the socket's inode.
    for (const line of lines.split("\n").slice(1)) udp.add(line.trim().split(/\s+/)[9] ?? "");
  }
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  // A file may be closed between the listing and the reading.
  const links = files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => ""));
  const inodes = (await Promise.all(links)).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]);
  return { threads, udpSockets: inodes.filter((inode) => inode && udp.has(inode)).length };
}
