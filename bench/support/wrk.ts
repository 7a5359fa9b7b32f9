import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./home.ts";
import { BODY } from "./lean-client.ts";
import { LOAD_CORE } from "./processes.ts";

export interface Load {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param tokens sent in turn. @param fields further header fields. @returns the script's path */
export const postScript = (tokens: readonly string[], fields: Readonly<Record<string, string>> = {}): string => {
  const file = join(temporaryFolder(), "post.lua");
  const heads = tokens.map((token) => `"Bearer ${token}"`).join(",\n");
  const more = Object.entries(fields).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`);
  const one = `wrk.headers["Authorization"] = tokens[1]`;
  const rotating = `
    local requests, n = {}, 0
    function init()
      for i, token in ipairs(tokens) do
        wrk.headers["Authorization"] = token
        requests[i] = wrk.format()
      end
    end
    function request()
      n = n % #requests + 1
      return requests[n]
    end`;
  const script = `
    wrk.method = "POST"
    wrk.body = [[${BODY}]]
    wrk.headers["Content-Type"] = "application/json"
    ${more.join("\n")}
    local tokens = { ${heads} }
    ${tokens.length > 1 ? rotating : one}
  `;
  writeFileSync(file, script);
  return file;
};

const MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };
const milliseconds = (text: string, share: string): number => {
  const [, value, unit] = new RegExp(`^ *${share}% +([0-9.]+)(us|ms|s|m)$`, "m").exec(text) ?? [];
  return Number(value) * (MS[unit ?? ""] ?? Number.NaN);
};

/** @throws when a single answer was not 2xx or a connection broke: such a round measures something else */
export const wrk = async (
  url: string,
  script: string,
  { seconds = 6, connections = 32, core = LOAD_CORE }: { seconds?: number; connections?: number; core?: string } = {},
): Promise<Load> => {
  const args = ["-c", core, "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", script, url];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await new Promise((done) => child.on("close", done));
  const bad = /Non-2xx[^\n]*|Socket errors[^\n]*/.exec(text);
  const [, rate] = /Requests\/sec: +([0-9.]+)/.exec(text) ?? [];
  if (bad !== null || rate === undefined) throw new Error(`wrk ${url}: ${bad?.[0] ?? text}`);
  return { requestsPerSecond: Number(rate), p50Ms: milliseconds(text, "50"), p99Ms: milliseconds(text, "99") };
};
