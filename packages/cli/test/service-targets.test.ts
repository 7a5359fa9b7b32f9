import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { selfSigned } from "../../../test/support/certificate.ts";
import { aigw, json, type Outcome, temporaryHome } from "./support/harness.ts";

interface Shown {
  readonly service: {
    readonly url: string;
    readonly targets: readonly { readonly url: string; readonly weight: number; readonly state: string }[];
    readonly [fact: string]: unknown;
  };
}

const home = async (t: TestContext): Promise<(words: string) => Promise<Outcome>> => {
  const path = temporaryHome(t);
  await aigw(path, ["init"]);
  return (words) =>
    aigw(
      path,
      words.split(" ").map((word) => word.replaceAll("␣", " ")),
    );
};

const ONE = "http://127.0.0.1:1";
const TWO = "http://127.0.0.2:2/base";

const targetsIn = async (run: (words: string) => Promise<Outcome>): Promise<string> => {
  const { service } = json<Shown>(await run("service show ocr --json"));
  assert.equal(service.url, service.targets[0]?.url);
  return service.targets.map(({ url, weight, state }) => `${url}×${weight} ${state}`).join(", ");
};

describe("a service's targets", () => {
  test("are added, weighed, removed, and told in list and show", async (t) => {
    const run = await home(t);
    const added = await run(`service add ocr ${ONE} ${TWO} ${ONE} --no-check`);
    assert.match(added.stdout, /goes to http:\/\/127\.0\.0\.1:1 and http:\/\/127\.0\.0\.2:2\/base\./);
    assert.equal(await targetsIn(run), `${ONE}×1 unknown, ${TWO}×1 unknown`);
    await run(`service set ocr --weight ${TWO}=3 --add-target unix:/run/ocr.sock:/v1/ --no-check`);
    assert.equal(await targetsIn(run), `${ONE}×1 unknown, ${TWO}×3 unknown, unix:/run/ocr.sock:/v1×1 unknown`);
    const list = json<{ services: readonly Shown["service"][] }>(await run("service list --json"));
    assert.deepEqual(Object.keys(list.services[0]?.targets[0] ?? {}).sort(), [
      "openCalls",
      "reason",
      "since",
      "state",
      "url",
      "weight",
    ]);
    assert.deepEqual((await run("service list -q")).stdout, "ocr\n");
    const table = await run("service list");
    for (const url of [ONE, TWO, "unix:/run/ocr.sock:/v1"]) assert.ok(table.stdout.includes(url), url);
    await run(`service set ocr --remove-target ${ONE}`);
    assert.equal(await targetsIn(run), `${TWO}×3 unknown, unix:/run/ocr.sock:/v1×1 unknown`);
    const same = json<{ changed: boolean }>(await run(`service set ocr --weight ${TWO}=3 --json`));
    assert.equal(same.changed, false);
  });

  test("are refused where they are none, and the last one stays", async (t) => {
    const run = await home(t);
    await run(`service add ocr ${ONE} ${TWO} --no-check`);
    const refusals: readonly (readonly [string, number, RegExp])[] = [
      ["service set ocr --remove-target http://127.0.0.3:3", 3, /ocr has no target .*:3\. Its targets: /],
      [`service set ocr --remove-target ${ONE} --remove-target ${TWO}`, 2, /last target of ocr cannot be removed/],
      [`service set ocr --weight ${ONE}=0`, 2, /--weight: weight '.*=0' is not valid: .*1 to 100/],
      [`service set ocr --url ${TWO}`, 2, /ocr has 2 targets.*--add-target <url> --remove-target <url>/],
      ["service set ocr --add-target unix:run/ocr.sock", 2, /absolute path of a socket/],
      [`service set ocr --add-target unix:/${"x".repeat(110)}`, 2, /107 bytes at most/],
      ["service set ocr --add-target unix:/run/ocr.sock:/x?y", 2, /leave out the query/],
      ["service set ocr --health-every 1s", 2, /give its path with --health-path/],
      ["service set ocr --health-path health", 2, /use a path such as \/health/],
      ["service set ocr --health-path /h --health-status 9xx", 2, /use 2xx, 204, 200-399/],
      ["service set ocr --fallback ocr", 2, /its own fallback/],
      ["service set ocr --fallback gone", 2, /There is no service 'gone'/],
      ["service set ocr --max-head 1m", 2, /4k to 256k/],
      ["service set ocr --host-header a/b", 2, /use 'target', 'client'/],
      ["service set ocr --server-name 10.0.0.1", 2, /use a host name/],
      ["service set ocr --ca gone.pem", 2, /--ca: .*gone\.pem cannot be read: there is no such file/],
      ["service set ocr --ca .", 2, /it is a folder/],
      ["service set ocr --encoded-slash maybe", 2, /pass, refuse/],
    ];
    for (const [words, code, message] of refusals) {
      const { code: got, stderr } = await run(words);
      assert.match(stderr, message, words);
      assert.equal(got, code, words);
    }
    assert.equal(await targetsIn(run), `${ONE}×1 unknown, ${TWO}×1 unknown`);
  });

  test("drain, disable, enable; not the last one that takes calls", async (t) => {
    const run = await home(t);
    await run(`service add ocr ${ONE} ${TWO} --no-check`);
    assert.match((await run(`service drain ocr ${ONE}`)).stdout, /^http:\/\/127\.0\.0\.1:1 gets no new calls of ocr\./);
    assert.match((await run(`service drain ocr ${ONE}`)).stdout, /is drained already/);
    assert.equal(await targetsIn(run), `${ONE}×1 drained, ${TWO}×1 unknown`);
    const last = await run(`service drain ocr ${TWO}`);
    assert.deepEqual([last.code, /aigw service disable ocr --message/.test(last.stderr)], [2, true]);
    assert.equal((await run(`service set ocr --remove-target ${TWO}`)).code, 2);
    await run(`service enable ocr ${ONE}`);
    assert.equal(await targetsIn(run), `${ONE}×1 unknown, ${TWO}×1 unknown`);
    await run("service disable ocr --message Back␣at␣14:00.");
    assert.equal(json<Shown>(await run("service show ocr --json")).service["disabled"], "Back at 14:00.");
    assert.match((await run("service show ocr")).stdout, /Out of use +Back at 14:00\./);
    const doctor = await run("doctor --json");
    assert.match(doctor.stdout, /"service_disabled"/);
    await run("service enable ocr");
    assert.equal(json<Shown>(await run("service show ocr --json")).service["disabled"], null);
    const audit = await run("audit list");
    assert.match(audit.stdout, /out of use none → Back at 14:00\./);
    assert.match(audit.stdout, /\(drained\)/);
  });
});

test("switches are set, shown and taken back; a key is in no output", async (t) => {
  const path = temporaryHome(t);
  const run = (...argv: string[]): Promise<Outcome> => aigw(path, argv);
  await run("init");
  const { cert, key } = selfSigned("gateway");
  const [ca, certFile, keyFile] = ["ca.pem", "cert.pem", "key.pem"].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(ca, `some words\n${cert}`);
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  await run("service", "add", "cloud", ONE, "--no-check");
  const set = ["service", "set", "ocr"];
  await run("service", "add", "ocr", ONE, "--no-check", "--ca", ca, "--fallback", "cloud", "--no-via");
  const half = await run(...set, "--client-cert", certFile);
  assert.match(half.stderr, /--client-cert and --client-key go together/);
  await run(...set, "--client-cert", certFile, "--client-key", keyFile, "--server-name", "ocr.internal");
  await run(...set, "--health-path", "/health", "--host-header", "client", "--encoded-slash", "pass");
  await run(...set, "--connect-timeout", "2s", "--idle-connection", "30s", "--max-head", "32k");
  const { service } = json<Shown>(await run("service", "show", "ocr", "--json"));
  const facts = (({ ca: given, clientCert, ...rest }) => ({
    ...rest,
    ca: given === cert,
    clientCert: clientCert === cert,
  }))(service);
  assert.deepEqual(Object.fromEntries(Object.entries(facts).filter(([name]) => name in EXPECTED)), EXPECTED);
  const all = [await run("service", "show", "ocr"), await run("audit", "list"), await run("service", "list", "--json")];
  for (const { stdout } of all) assert.doesNotMatch(stdout, /PRIVATE KEY|v1\.[\w-]{20}/);
  assert.match(all[0]?.stdout ?? "", /Client certificate +shown to the targets, key sealed/);
  await run(...set, "--no-ca", "--no-client-cert", "--no-server-name", "--no-health", "--no-fallback", "--via");
  await run(...set, "--host-header", "target", "--encoded-slash", "refuse", "--max-head", "16k");
  await run(...set, "--connect-timeout", "10s", "--idle-connection", "4s");
  const plain = await run("service", "show", "ocr");
  assert.doesNotMatch(
    plain.stdout,
    /Authority|Client cert|Server name|Health|Fallback|Via|Host|slash|head|Connect|Idle conn/,
  );
});

test("how many calls a service takes at once is set, shown, changed in part and taken back", async (t) => {
  const run = await home(t);
  for (const [argv, said] of [
    ["--queue 5", /say with --concurrency how many it takes at once/],
    ["--concurrency 0", /concurrency '0' is not valid: use a whole number from 1 to 10000, or none/],
    ["--concurrency 1 --queue 100001", /queue '100001' is not valid: use a whole number from 0 to 100000/],
    ["--concurrency 1 --queue-wait 5", /--queue-wait: time '5' is not valid/],
    ["--concurrency none --queue 5", /nothing waits, so give no --queue/],
  ] as const) {
    const refused = await run(`service add ocr ${ONE} --no-check ${argv}`);
    assert.equal(refused.code, 2, argv);
    assert.match(refused.stderr, said);
  }
  await run(`service add ocr ${ONE} --no-check --concurrency 2`);
  const shown = async (): Promise<readonly unknown[]> => {
    const { service } = json<Shown>(await run("service show ocr --json"));
    return [service["concurrency"], service["queue"], service["queueWaitMs"]];
  };
  assert.deepEqual(await shown(), [2, 100, 30_000]);
  await run("service set ocr --queue 7");
  await run("service set ocr --concurrency 3 --queue-wait 1m");
  assert.deepEqual(await shown(), [3, 7, 60_000]);
  assert.match((await run("service show ocr")).stdout, /At once +3 calls; up to 7 wait, 1m at most/);
  await run("service set ocr --timeout 5s");
  assert.deepEqual(await shown(), [3, 7, 60_000]);
  assert.match((await run("audit list")).stdout, /at once 2 → 3; queue 7 for 30s → 7 for 1m/);
  await run("service set ocr --concurrency none");
  assert.deepEqual(await shown(), [null, null, null]);
  assert.doesNotMatch((await run("service show ocr")).stdout, /At once/);
});

test("who removes a fallback is told whose it was", async (t) => {
  const run = await home(t);
  await run(`service add cloud ${ONE} --no-check`);
  await run(`service add ocr ${TWO} --no-check --fallback cloud`);
  const refused = await run("service remove cloud");
  assert.match(refused.stderr, /ocr will have no fallback any more\./);
  assert.equal((await run("service remove cloud --yes")).code, 0);
  // A fallback that is gone is none; nothing else of the service is in the way of a change.
  assert.equal((await run("service set ocr --timeout 5s")).code, 0);
});

const EXPECTED = {
  ca: true,
  clientCert: true,
  fallback: "cloud",
  via: false,
  serverName: "ocr.internal",
  health: { path: "/health", everyMs: 5_000, status: "2xx" },
  hostHeader: "client",
  encodedSlash: "pass",
  connectTimeoutMs: 2_000,
  idleConnectionMs: 30_000,
  maxHeadBytes: 32_768,
};

describe("service test", () => {
  test("sends one real request with the service's key, tells each stage, and what the client would see", async (t) => {
    const path = temporaryHome(t);
    await aigw(path, ["init"]);
    const seen: string[] = [];
    const pair = selfSigned("service");
    const server = createHttps(pair, (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { "x-client-id": client, "x-api-key": key, "content-type": type } = request.headers;
        seen.push([request.method, request.url, client, key, type, Buffer.concat(chunks).toString()].join(" "));
        response.setHeader("Content-Type", "text/plain");
        response.end("hello");
      });
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    t.after(() => server.close());
    const url = `https://localhost:${(server.address() as AddressInfo).port}/base`;
    writeFileSync(join(path, "ca.pem"), pair.cert);
    writeFileSync(join(path, "page.json"), '{"a":1}');
    const key = ["--header-env", "X-Api-Key=KEY"];
    const options = { env: { KEY: "secret-key" } };
    const added = await aigw(path, ["service", "add", "ocr", url, ...key, "--ca", join(path, "ca.pem")], options);
    assert.deepEqual([added.code, added.stderr], [0, ""], "looked at with the authority that was given");
    assert.match(seen.shift() ?? "", /^HEAD \/base /);
    await aigw(path, ["client", "add", "john"]);
    const tested = await aigw(path, [
      "service",
      "test",
      "ocr",
      "--as",
      "john",
      "--path",
      "/scan",
      "--data",
      "page.json",
      "--json",
    ]);
    const { targets } = json<{ targets: readonly Record<string, unknown>[] }>(tested);
    const [target = {}] = targets;
    const stages = ["nameMs", "connectMs", "tlsMs", "firstByteMs", "endMs"].map((stage) => Number(target[stage]));
    assert.deepEqual(
      stages,
      stages.toSorted((one, other) => one - other),
      "one after the other",
    );
    assert.ok(stages.every((ms) => ms > 0));
    assert.deepEqual(target["client"], {
      status: 200,
      code: null,
      detail: null,
      contentType: "text/plain",
      bytes: 5,
      brokenOff: false,
    });
    assert.deepEqual(seen, ['POST /base/scan john secret-key application/json {"a":1}']);
    const text = await aigw(path, ["service", "test", "ocr"]);
    assert.match(text.stdout, /TLS +\S+ ms\n[\s\S]*Client sees +200, text\/plain, 5 B/);
    assert.match(seen[1] ?? "", /^GET \/base {2}secret-key/);
    assert.doesNotMatch(tested.stdout + text.stdout, /secret-key/);
    await aigw(path, ["client", "revoke", "john", "--yes"]);
    const revoked = await aigw(path, ["service", "test", "ocr", "--as", "john"]);
    assert.match(
      revoked.stdout,
      /Through the gateway the client would see: 401 invalid_token, because john is revoked/,
    );
  });

  test("a target that is down is the exit code's 1, with what to do; every target is asked", async (t) => {
    const path = temporaryHome(t);
    await aigw(path, ["init"]);
    const server = createServer((_, response) => response.writeHead(500).end());
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    t.after(() => server.close());
    const up = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await aigw(path, ["service", "add", "ocr", up, ONE, "--no-check"]);
    const tested = await aigw(path, ["service", "test", "ocr"]);
    assert.equal(tested.code, 1);
    assert.match(tested.stdout, /Client sees {2}500, 0 B/);
    assert.match(tested.stdout, /Client sees {2}502 upstream_unreachable: /);
    assert.match(tested.stderr, /its host refused the connection.*Start the service/);
    assert.equal((await aigw(path, ["service", "test", "ocr", "--target", up])).code, 0);
    assert.equal((await aigw(path, ["service", "test", "ocr", "--target", "http://127.0.0.9:9"])).code, 3);
  });
});
