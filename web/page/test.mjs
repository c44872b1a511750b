// Bundles every test/*.test.ts, or those that are named, and runs them with Node's own test runner.
// -t NAME runs the tests whose names have NAME in them.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const { positionals: named, values } = parseArgs({
  allowPositionals: true,
  options: { name: { type: "string", short: "t" } },
});
const all = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
const sources = named.length === 0 ? all : named;
for (const name of sources) {
  if (!all.includes(name)) throw new Error(`there is no test/${name}; there are ${all.join(", ")}`);
}

const out = await mkdtemp(join(tmpdir(), "live-vlm-page-"));
try {
  await build({
    entryPoints: sources.map((name) => join(here, "test", name)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = sources.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
  const pattern = values.name === undefined ? [] : [`--test-name-pattern=${values.name}`];
  const flags = ["--enable-source-maps", "--test", ...pattern];
  const ran = spawnSync(process.execPath, [...flags, ...files], { stdio: "inherit" });
  process.exitCode = ran.status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
