import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { resolve } from "node:path";

export type Tool = "taskset" | "wrk" | "nginx" | "haproxy" | "envoy" | "mongod" | "peers";

export const BENCH: string = resolve(import.meta.dirname, "..");
const PORTKEY = resolve(BENCH, "node_modules/@portkey-ai/gateway/build/start-server.js");

/** From PyPI, see envoy-requirements.txt; or another one, by the environment. */
export const ENVOY: string = process.env["AIGW_BENCH_ENVOY"] ?? resolve(BENCH, "node_modules/.envoy/envoy/_bin/envoy");

const HOW: Readonly<Record<Tool, string>> = {
  taskset: "apt-get install util-linux",
  wrk: "apt-get install wrk",
  nginx: "apt-get install nginx-light",
  haproxy: "apt-get install haproxy",
  mongod: "put MongoDB's server on the PATH, such as the one that .ci/run fetches for the tests",
  envoy: "see bench/envoy-requirements.txt",
  peers: "cd bench && npx -y pnpm@12.21.0 install --frozen-lockfile",
};

const has = (tool: Tool): boolean =>
  tool === "peers"
    ? existsSync(PORTKEY)
    : tool === "envoy"
      ? existsSync(ENVOY)
      : spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;

/** One line for each tool that is not there, with how to get it. */
export const missing = (tools: readonly Tool[]): readonly string[] =>
  tools.filter((tool) => !has(tool)).map((tool) => `${tool} is missing: ${HOW[tool]}`);

const firstLine = (command: string, args: readonly string[]): string => {
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return `${stdout ?? ""}${stderr ?? ""}`.split("\n")[0]?.trim() ?? "";
};

const envoyVersion = (): string => {
  const { stdout } = spawnSync(ENVOY, ["--version"], { encoding: "utf8" });
  const version = /\/(\d+\.\d+\.\d+)\//.exec(stdout ?? "")?.[1];
  return version === undefined ? "" : `Envoy ${version}`;
};

/** What the figures depend on, for the report. */
export const machine = (): string => {
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    firstLine("wrk", ["-v"]).replace(/ Copyright.*/, ""),
    firstLine("nginx", ["-v"]),
    firstLine("haproxy", ["-v"]).replace(/ - https.*/, ""),
    firstLine("mongod", ["--version"]).replace("db version v", "mongod "),
    envoyVersion(),
  ]
    .filter((part) => part !== "")
    .join(" · ");
};
