// What a process holds, by what Linux says about it.
import { readFile, readdir, readlink } from "node:fs/promises";

export interface Held {
  threads: number;
  udpSockets: number;
}

export async function held(pid: number): Promise<Held> {
  const threads = (await readdir(`/proc/${pid}/task`)).length;
  const udp = new Set<string>();
  for (const table of ["udp", "udp6"]) {
    const lines = await readFile(`/proc/${pid}/net/${table}`, "utf8").catch(() => "");
    // The tenth column is the socket's inode.
    for (const line of lines.split("\n").slice(1)) udp.add(line.trim().split(/\s+/)[9] ?? "");
  }
  const files = await readdir(`/proc/${pid}/fd`);
  // A file may be closed between the listing and the reading.
  const links = files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => ""));
  const inodes = (await Promise.all(links)).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]);
  return { threads, udpSockets: inodes.filter((inode) => inode && udp.has(inode)).length };
}
