import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { lines, MAIN, post, SAMPLE, SAMPLE_TEXT } from "./support.ts";

const NO_NETWORK = new URL("no-network.ts", import.meta.url).href;
const SERVER = new URL("../src/server.ts", import.meta.url).href;

interface Run {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<readonly [number | null, string | null]>;
}

function run(t: TestContext, args: readonly string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const ended = once(child, "close", { signal: AbortSignal.timeout(30_000) }).then(
    ([code, signal]: (number | string | null)[]) => [Number(code), signal === null ? null : String(signal)] as const,
  );
  // A run that is meant to go on has no one who waits for its end.
  ended.catch(() => {});
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

async function urlOf({ child, stdout, stderr }: Run): Promise<string> {
  const bound = AbortSignal.timeout(20_000);
  while (!stdout().includes("\n")) {
    if (child.exitCode !== null) throw new Error(`it ended early: ${stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    bound.throwIfAborted();
  }
  return stdout().trim().replace("OCR service listening on ", "");
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`runs without the network, prints one line and exits 0 on ${signal}`, { timeout: 60_000 }, async (t) => {
    const service = run(t, ["--import", NO_NETWORK, MAIN, "--port", "0"]);
    const url = await urlOf(service);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal((await post(url, SAMPLE.subarray(0, 5_000))).status, 422);
    assert.deepEqual(lines((await post(url, SAMPLE)).text), lines(SAMPLE_TEXT));
    service.child.kill(signal);
    assert.deepEqual(await service.ended, [0, null]);
    assert.equal(service.stdout(), `OCR service listening on ${url}\n`);
    assert.equal(service.stderr(), "");
  });
}

test("the guard against the network does stop a download", { timeout: 60_000 }, async (t) => {
  const code = `new (await import("node:worker_threads")).Worker("fetch('http://127.0.0.1:9/')", { eval: true });`;
  const guarded = run(t, ["--import", NO_NETWORK, "--input-type=module", "--eval", code]);
  await guarded.ended;
  assert.match(guarded.stderr(), /tried to reach the network/);
});

test("takes the API key from its environment", { timeout: 60_000 }, async (t) => {
  const url = await urlOf(run(t, [MAIN, "--port", "0"], { OCR_API_KEY: "k-123" }));
  assert.equal((await post(url, SAMPLE)).status, 401);
  assert.equal((await post(url, SAMPLE, { "x-api-key": "k-123" })).status, 200);
});

test("bad arguments end with 1 and a reason", { timeout: 60_000 }, async (t) => {
  for (const args of [
    ["--port", "70000"],
    ["--port", "http"],
    ["--prot", "1"],
  ]) {
    const wrong = run(t, [MAIN, ...args]);
    assert.deepEqual(await wrong.ended, [1, null]);
    assert.match(wrong.stderr(), /--port|--prot/);
    assert.equal(wrong.stdout(), "");
  }
});

test("after close() nothing keeps the process alive", { timeout: 60_000 }, async (t) => {
  const code = `
    const { startOcrService } = await import(${JSON.stringify(SERVER)});
    const service = await startOcrService();
    const answer = await fetch(service.url, { method: "POST", body: new Uint8Array(9) });
    await answer.text();
    await service.close();
    process.stdout.write(String(answer.status));`;
  const user = run(t, ["--input-type=module", "--eval", code]);
  assert.deepEqual(await user.ended, [0, null]);
  assert.equal(user.stdout(), "422");
});
