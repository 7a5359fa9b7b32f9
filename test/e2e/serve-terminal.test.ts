import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../../packages/cli/src/workers/free-port.ts";
import { AIGW, aigw, cleanEnv, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { NO_PTY, onPty, type PtyStep } from "../support/pty.ts";
import { until, within } from "../support/until.ts";

const skip = NO_PTY;

interface Session {
  readonly screen: string;
  readonly exitCode: number | null;
}

/** Runs the program on a pseudo-terminal while this process goes on. */
const onTerminal = async (
  home: string,
  argv: readonly string[],
  press: readonly PtyStep[],
  columns = 80,
): Promise<Session> => {
  const env = { ...cleanEnv(home), TERM: "xterm", NO_COLOR: "1" };
  const session = await onPty([process.execPath, ...AIGW, ...argv], { columns, env, press, timeoutMs: 40_000 });
  assert.deepEqual(session.pressLeft, [], session.output);
  return { exitCode: session.exitCode, screen: session.output.replaceAll("\r\n", "\n") };
};

const READY = "a second one at once";

test("serve on a terminal says where it is and what to do next, and stops on Ctrl-C", { skip }, async (t) => {
  const home = temporaryHome(t);
  const first = await onTerminal(home, ["serve", "--port", "0", "--admin-port", "0"], [[READY, "\u0003"]], 60);
  assert.equal(first.exitCode, 0, first.screen);
  const url = /Listens on {2}(http:\/\/127\.0\.0\.1:\d+)\n/.exec(first.screen)?.[1] ?? "";
  assert.match(first.screen, /^aigw \d+\.\d+\.\d+ is ready\.$/m);
  assert.ok(first.screen.includes(`  Guide       ${url}/guide\n`), first.screen);
  assert.match(first.screen, /^ {2}Metrics {5}http:\/\/127\.0\.0\.1:\d+\/metrics$/m);
  assert.ok(first.screen.includes(`  Home        ${home}\n`));
  assert.match(
    first.screen,
    /Next, in another terminal: put a service behind it\.\n {2}aigw service add <name> <url>\n/,
  );
  assert.match(first.screen, /\nStopping: calls under way have 30s to end\. Ctrl-C again\nstops at once\.\n/);
  assert.doesNotMatch(first.screen, /\{"level"/, "no JSON for a person");

  // What comes next depends on what is there, and carries the flags.
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1", "--no-check"]);
  const serve = ["serve", "--port", "0", "--home", home, "--drain", "5s"];
  const second = await onTerminal(home, serve, [[READY, "\u0003"]]);
  const set = /\n {2}aigw --home (\S+) config set public-url (http:\S+)\n/.exec(second.screen);
  assert.deepEqual([set?.[2], set?.[1]], [/Listens on {2}(\S+)/.exec(second.screen)?.[1], home], second.screen);
  assert.match(second.screen, /Stopping: calls under way have 5s to end\./);
  await aigw(home, ["config", "set", "public-url", "https://ai.example.com"]);
  const third = await onTerminal(home, serve, [[READY, "\u0003"]]);
  assert.match(
    third.screen,
    /^ {2}Public URL {2}https:\/\/ai\.example\.com\n {2}Guide {7}https:\/\/ai\.example\.com\/guide$/m,
  );
  assert.match(third.screen, /\n {2}aigw --home \S+ onboard <name> --email\n/);
  await aigw(home, ["client", "add", "john"]);
  const workers = await onTerminal(home, [...serve, "--workers", "2"], [[READY, "\u0003"]]);
  assert.equal(workers.exitCode, 0, workers.screen);
  assert.match(workers.screen, /^ {2}Workers {5}2$/m);
  assert.match(workers.screen, /\n {2}aigw --home \S+ usage tail -f\n/);
  assert.doesNotMatch(workers.screen, /\{"level"/);
});

test("serve on a terminal logs as text; a second Ctrl-C does not wait for the call under way", { skip }, async (t) => {
  const home = temporaryHome(t);
  let held = 0;
  const upstream = await startUpstream(t, () => {
    held += 1;
  });
  await aigw(home, ["service", "add", "held", upstream.url, "--no-check"]);
  await aigw(home, ["service", "add", "gone", "http://127.0.0.1:1", "--no-check"]);
  const password = (await aigw(home, ["client", "add", "john", "-q"])).stdout.trim();
  const port = await freePort("127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  const session = onTerminal(
    home,
    ["serve", "--port", String(port)],
    [
      ["upstream failed", "\u0003"],
      // Within a quarter of a second it would be taken for the same keystroke.
      ["Stopping", "\u0003", 0.4],
    ],
  );
  await until("the gateway", async () => (await send(`${url}/ready`).catch(() => undefined))?.status === 200, 15_000);
  const token = await tokenFor(url, "john", password);
  const call = send(`${url}/api/held`, { headers: bearer(token) }).catch(() => "broken off");
  await until("the call to arrive", () => held === 1);
  assert.equal((await send(`${url}/api/gone`, { headers: bearer(token) })).status, 502);
  const { screen, exitCode } = await session;
  assert.equal(exitCode, 130, screen);
  assert.equal(await call, "broken off");
  assert.match(screen, /^\d\d:\d\d:\d\d UTC {2}warn {2}upstream failed\n {2}requestId=\S+ service=gone/m);
  assert.doesNotMatch(screen, /\{"level"/);
});

test("serve in a pipe logs a JSON object a line, and has no banner", async (t) => {
  const home = temporaryHome(t);
  const gateway = await startGatewayProcess(t, home);
  gateway.child.kill("SIGTERM");
  const { code, stderr } = await within("the end", gateway.done);
  assert.equal(code, 0);
  const [note, ...lines] = stderr.trimEnd().split("\n");
  assert.match(note ?? "", /was empty and is initialised now/);
  const said = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.deepEqual([said[0], said.at(-1)], ["gateway started", "gateway stopped"]);
});

reportNeed(NEEDS.terminal, skip || undefined);
