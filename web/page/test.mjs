// Bundles every test/*.test.ts and runs them with Node's own test runner.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const sources = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
if (sources.length === 0) throw new Error("there are no tests");

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
  const ran = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
    stdio: "inherit",
  });
  process.exitCode = ran.status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
