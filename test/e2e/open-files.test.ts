import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { AIGW, aigw, aigwJson, cleanEnv } from "../support/aigw.ts";
import { type Answer, bearer, send, startEcho, startUpstream, tokenFor } from "../support/http.ts";
import { allUsage, assertSound, prepareHome, UNLIMITED, withHome } from "../support/prepared-home.ts";
import { until, within } from "../support/until.ts";

const skip = existsSync("/proc/self/limits") ? false : "the limit of open files is read from Linux's /proc";

interface Announced {
  readonly gateway: { readonly url: string; readonly adminUrl: string };
}

/** A gateway that may have so many files open. */
const serveWithin = async (t: TestContext, home: string, limit: number, onLog: (text: string) => void) => {
  // Node raises the soft limit to the hard one: ulimit sets both.
  const limited = ["-c", `ulimit -n ${limit} && exec "$@"`, "sh", process.execPath, ...AIGW];
  const serve = ["serve", "--port", "0", "--admin-port", "0", "--json"];
  const child = spawn("/bin/sh", [...limited, ...serve], { env: cleanEnv(home), stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (text: Buffer) => {
    said += text.toString();
  });
  child.stderr.on("data", (text: Buffer) => onLog(text.toString()));
  await until("the gateway", () => said.includes("\n"));
  return { child, ...(JSON.parse(said) as Announced).gateway };
};

test("out of file descriptors: what is open goes on, new work is refused, nobody else is blamed", {
  skip,
}, async (t) => {
  const held: (() => void)[] = [];
  const slow = await startUpstream(t, ({ method }, response) => {
    // For doctor.
    if (method === "HEAD") response.end();
    else held.push(() => response.end("done"));
  });
  const [quick, other] = [await startEcho(t), await startEcho(t)];
  const services = { slow: slow.url, quick: quick.url, other: other.url };
  const { home, passwords } = await prepareHome(t, { services, clients: { john: UNLIMITED, mary: {} } });
  let log = "";
  const { child, url, adminUrl } = await serveWithin(t, home, 72, (text) => {
    log += text;
  });
  const headers = bearer(await tokenFor(url, "john", passwords["john"] ?? ""));
  const at = (service: string, count: number): Promise<Answer>[] =>
    Array.from({ length: count }, () => send(`${url}/api/${service}`, { headers }));

  for (const service of ["quick", "other", "quick"]) {
    const answers = await Promise.all(at(service, 6));
    const statuses = answers.map(({ status }) => status);
    assert.deepEqual(statuses, Array(6).fill(200), "connections that rest for one service make room for another");
  }

  const refused: Answer[] = [];
  const served: Answer[] = [];
  const calls = at("slow", 60).map(async (call) => {
    const answer = await call;
    (answer.status === 200 ? served : refused).push(answer);
  });
  await until("every call to be held or refused", () => held.length + refused.length === 60);
  assert.ok(held.length >= 6 && refused.length > 0, `${held.length} held`);
  for (const { status, headers: fields, body } of refused) {
    assert.deepEqual([status, fields["retry-after"], fields.connection], [503, "5", "close"]);
    assert.equal((JSON.parse(body) as { code: string }).code, "unavailable");
  }

  await until("a sign of life", async () => (await send(`${url}/health`)).status === 200);
  const revoked = await aigw(home, ["client", "revoke", "mary", "--yes"]);
  assert.match(revoked.stdout, /1 of 1 gateways applied it/, revoked.stderr);
  assert.equal(served.length, 0, "those that are open are still under way");

  for (const release of held) release();
  await within("the calls that were open", Promise.all(calls));
  assert.deepEqual(
    served.map(({ body }) => body),
    held.map(() => "done"),
  );
  await until("room for new work", async () => (await send(`${url}/api/quick`, { headers })).status === 200);

  const { findings } = await aigwJson<{ findings: { code: string; message: string; fix: string }[] }>(home, ["doctor"]);
  const found = findings.find(({ code }) => code === "gateway_out_of_files");
  assert.match(found?.message ?? "", /refused \d+ connections and calls .* no more than 72 files/);
  assert.match(found?.fix ?? "", /LimitNOFILE/);
  const { gateways } = await aigwJson<{ gateways: { openFiles: { limit: number; refused: number } }[] }>(home, [
    "status",
  ]);
  assert.equal(gateways[0]?.openFiles.limit, 72);
  const metric = /^aigw_out_of_files_total (\d+)$/m.exec((await send(`${adminUrl}/metrics`)).body)?.[1];
  assert.ok(Number(metric) >= refused.length && Number(metric) === gateways[0]?.openFiles.refused, metric);

  child.kill("SIGTERM");
  await until("the end", () => child.exitCode !== null);
  assert.equal(child.exitCode, 0);
  const lines = log.split("\n").filter((line) => line.includes('"msg":"out of file descriptors'));
  assert.ok(lines.length === 1 || lines.length === 2, log);
  assert.match(lines[0] ?? "", /"limit":72.*LimitNOFILE/);
  assert.doesNotMatch(log, /upstream failed|store fault/);
  await withHome(home, async (opened) => {
    const usage = await allUsage(opened.store);
    assert.deepEqual([...new Set(usage.map(({ outcome }) => outcome))], ["ok"], "no service is blamed");
    await assertSound(opened);
  });
});

test("connections that ask for nothing keep nobody out", { skip }, async (t) => {
  const quick = await startEcho(t);
  const { home, passwords } = await prepareHome(t, { services: { quick: quick.url }, clients: { john: UNLIMITED } });
  // There is room for some ninety clients.
  const { url } = await serveWithin(t, home, 256, () => undefined);
  const { hostname, port } = new URL(url);
  const headers = bearer(await tokenFor(url, "john", passwords["john"] ?? ""));
  const openSilent = async (count: number): Promise<void> => {
    const opened = Array.from({ length: count }, () => {
      const socket = connect(Number(port), hostname);
      t.after(() => socket.destroy());
      socket.on("error", () => undefined);
      return new Promise((settle) => socket.once("connect", settle));
    });
    await within("the connections", Promise.all(opened));
  };
  await openSilent(60);
  const openedAt = performance.now();
  await until("them to be silent for long", () => performance.now() - openedAt > 600);
  const statuses: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    await openSilent(5);
    statuses.push((await send(`${url}/api/quick`, { headers })).status);
  }
  assert.deepEqual(statuses, Array(12).fill(200));
});
