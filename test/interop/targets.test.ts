import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { addService } from "@aigw/core";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { UNLIMITED } from "../support/prepared-home.ts";
import { pythonMissing, pythonRan, startPython } from "../support/python.ts";
import { SteadyLoad } from "../support/steady-load.ts";
import { until, within } from "../support/until.ts";

const find = (program: string): string | undefined =>
  [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"]
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** A server that can be ended by a signal and started again where it was. */
interface Target {
  readonly name: string;
  readonly url: string;
  end(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
}

const target = async (
  t: TestContext,
  name: string,
  run: (port: number, folder: string) => ChildProcess,
  kill: (child: ChildProcess, signal: NodeJS.Signals) => void = (child, signal) => child.kill(signal),
): Promise<Target> => {
  const folder = mkdtempSync(join(tmpdir(), `aigw-${name}-`));
  const port = await freePort("127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "close");
    kill(child, signal);
    await within(`${name} to end`, gone, 15_000);
  };
  const start = async (): Promise<void> => {
    child = run(port, folder);
    await until(`${name} to answer`, async () => (await send(url).catch(() => undefined))?.status === 200, 20_000);
  };
  t.after(async () => {
    await end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return { name, url, end, start };
};

const nginx =
  (program: string) =>
  (port: number, folder: string): ChildProcess => {
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    const text = `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
    events {} http { access_log off; ${paths.join(" ")} keepalive_timeout 5s;
    server { listen 127.0.0.1:${port}; location / { return 200 "nginx says so"; } } }`;
    writeFileSync(join(folder, "config"), text);
    return spawn(program, ["-c", join(folder, "config"), "-p", folder, "-e", "stderr"], { stdio: "ignore" });
  };

const haproxy =
  (program: string) =>
  (port: number, folder: string): ChildProcess => {
    const text = `defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend all
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain string "haproxy says so"
`;
    writeFileSync(join(folder, "config"), text);
    return spawn(program, ["-db", "-f", join(folder, "config")], { stdio: "ignore" });
  };

/** As it comes it closes each connection behind its answer. Its workers hold the port when it is killed alone. */
const gunicorn = (port: number): ChildProcess =>
  startPython(
    [
      ...["-m", "gunicorn", "--bind", `127.0.0.1:${port}`, "--workers", "2", "--log-level", "critical"],
      ...["--chdir", import.meta.dirname, "targets_wsgi:app"],
    ],
    { detached: true },
  );

const killGroup = ({ pid = 0 }: ChildProcess, signal: NodeJS.Signals): void => void process.kill(-pid, signal);

const programs = { nginx: find("nginx"), haproxy: find("haproxy") };
const missing = Object.entries(programs).find(([, path]) => path === undefined)?.[0];
const skip = missing === undefined ? pythonMissing : `there is no ${missing} in the PATH`;
if (missing !== undefined) reportNeed(NEEDS.proxies, String(skip));

describe("one service on nginx, HAProxy, uvicorn and gunicorn", { skip }, () => {
  it("each is ended and started again while calls go on: none fails, and each takes calls again", async (t) => {
    const targets = await Promise.all([
      target(t, "nginx", nginx(programs.nginx ?? "")),
      target(t, "haproxy", haproxy(programs.haproxy ?? "")),
      target(t, "uvicorn", (port) => startPython([join(import.meta.dirname, "targets.py"), String(port)])),
      target(t, "gunicorn", gunicorn, killGroup),
    ]);
    const [first, ...others] = targets.map(({ url }) => url);
    const gateway = await startTestGateway(t);
    const { rev } = await addService(gateway.deps, { name: "ocr", url: first ?? "", addTargets: others });
    await gateway.applied(rev);
    const headers = bearer(await gateway.tokenFor("john", UNLIMITED));
    const calls = new SteadyLoad(`${gateway.url}/api/ocr/x`, 100, { method: "GET", headers });
    const takes = async ({ name }: Target): Promise<void> => {
      const before = calls.answersOf(name);
      await until(`${name} to take calls`, () => calls.answersOf(name) > before + 5, 20_000);
    };
    for (const one of targets) await takes(one);
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      for (const one of targets) {
        await one.end(signal);
        await delay(100);
        await one.start();
        await takes(one);
      }
    }
    const { failed, statuses } = await calls.stop();
    assert.equal(failed, 0, JSON.stringify([...statuses]));
    reportNeed(NEEDS.proxies, undefined);
    pythonRan();
  });
});
