import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { addService, initHome, openHome, setSetting, systemClock } from "@aigw/core";
import { checkPublicUrl } from "../../packages/cli/src/doctor/checks/public-url.ts";
import { checkSmtp } from "../../packages/cli/src/doctor/checks/smtp.ts";
import { aigw, cleanEnv, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { type CertificatePair, selfSigned } from "../support/certificate.ts";
import { type DoctorAnswer, doctor, parsed } from "../support/doctor.ts";
import { startUpstream } from "../support/http.ts";

type Owner = Pick<TestContext, "after">;

const run = promisify(execFile);
const CHECK_URLS = resolve(import.meta.dirname, "../support/check-urls.ts");

const initialised = async (t: Owner, services: Record<string, string> = {}): Promise<string> => {
  const home = temporaryHome(t);
  await initHome({ home, at: Date.now(), actor: "test" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  const deps = { store, sealer, clock: systemClock, actor: "test" };
  for (const [name, url] of Object.entries(services)) await addService(deps, { name, url });
  // So that there are both files.
  store.traffic.steadyNow();
  await store.close();
  return home;
};

/** HTTPS in front of a gateway. @returns its port */
const startTls = async (t: Owner, { cert, key }: CertificatePair, target?: string): Promise<number> => {
  const server = createTlsServer({ cert, key }, (incoming, outgoing) => {
    if (target === undefined) return void outgoing.end("something else");
    const onward = request(`${target}${incoming.url ?? "/"}`, { method: incoming.method ?? "GET" }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    onward.end();
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

/** Says its greeting to whoever connects; nothing where there is none. @returns its port */
const startGreeter = async (t: Owner, greeting?: string): Promise<number> => {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (greeting !== undefined) socket.write(greeting);
    t.after(() => socket.destroy());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
};

const closedPort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
};

const assertAdvice = ({ findings }: DoctorAnswer): void => {
  for (const { level, code, message, fix } of findings) {
    assert.match(message, /^[^\n]+$/, code);
    if (level === "fail") assert.ok(fix, `${code} has a fix`);
  }
};

test("a sound installation: everything is looked at, nothing fails, and soon", async (t) => {
  const upstream = await startUpstream(t, (_, response) => response.end("ok"));
  const home = await initialised(t, { ocr: upstream.url });
  const gateway = await startGatewayProcess(t, home);
  const good = selfSigned("good", { endsInDays: 60 });
  // Names of their own: two trusted issuers of one name would be taken for each other.
  const certificates = {
    good,
    soon: selfSigned("soon", { endsInDays: 10.5 }),
    ended: selfSigned("ended", { endsInDays: -2 }),
    otherName: selfSigned("other", { host: "other.example", endsInDays: 60 }),
    untrusted: selfSigned("untrusted", { endsInDays: 60 }),
  };
  const bundle = join(dirname(home), "ca.pem");
  const { untrusted, ...trusted } = certificates;
  writeFileSync(
    bundle,
    Object.values(trusted)
      .map(({ cert }) => cert)
      .join(""),
  );
  const smtp = await startGreeter(t, "220 mail.example ESMTP\r\n");
  const urlOf = async (pair: CertificatePair): Promise<string> =>
    `https://localhost:${await startTls(t, pair, gateway.url)}`;

  await aigw(home, ["config", "set", "public-url", await urlOf(certificates.good)]);
  const started = performance.now();
  const { code, stdout, stderr } = await aigw(home, ["doctor", "--json"], {
    env: {
      NODE_EXTRA_CA_CERTS: bundle,
      AIGW_SMTP_URL: `smtp://127.0.0.1:${smtp}`,
    },
  });
  const sound = parsed(code, stdout, stderr, performance.now() - started);
  assert.equal(sound.exitCode, 0, JSON.stringify(sound.findings));
  assert.equal(sound.ok, true);
  assert.deepEqual(
    // Which depend on the machine.
    sound.codes.filter((found) => !/^(node|disk|gateway_dumps)_/.test(found)),
    [
      "home_ready",
      "master_key_opens",
      "store_ready",
      "integrity_sound",
      "clock_plausible",
      "port_ours",
      "gateway_ready",
      "public_url_set",
      "certificate_valid",
      "public_url_answers",
      "smtp_answers",
      "service_answers",
      "calls_counted",
    ],
  );
  assert.match(sound.find("certificate_valid").message, /59 d left/);
  assert.ok(sound.ms < 10_000, `${sound.ms} ms`);
  assert.equal(
    upstream.seen.every(({ method }) => method === "HEAD"),
    true,
  );

  const urls = await Promise.all([certificates.soon, certificates.ended, certificates.otherName, untrusted].map(urlOf));
  const checked = await run(process.execPath, [CHECK_URLS, ...urls], {
    env: { ...cleanEnv(home), NODE_EXTRA_CA_CERTS: bundle },
    timeout: 20_000,
  });
  const found = JSON.parse(checked.stdout) as readonly (readonly (readonly [code: string, message: string])[])[];
  const codes = (certificate: string): readonly string[] => ["public_url_set", certificate, "public_url_answers"];
  assert.deepEqual(
    found.map((findings) => findings.map(([name]) => name)),
    ["certificate_ends_soon", "certificate_expired", "certificate_wrong_name", "certificate_untrusted"].map(codes),
    "and a certificate does not hide who answers",
  );
  assert.match(found[0]?.[1]?.[1] ?? "", /ends in 10 d/);
});

test("a home in pieces: each piece is a finding, none a crash, and nothing is touched", async (t) => {
  const broken = async (harm: (home: string) => void): Promise<DoctorAnswer & { readonly home: string }> => {
    const home = await initialised(t);
    harm(home);
    const before = existsSync(home) ? readdirSync(home).sort() : [];
    const answer = await doctor(home);
    assert.deepEqual(existsSync(home) ? readdirSync(home).sort() : [], before, "doctor creates and removes nothing");
    assertAdvice(answer);
    return { ...answer, home };
  };
  const scramble = (path: string, from: number): void => {
    const bytes = readFileSync(path);
    bytes.fill(0xa5, from);
    writeFileSync(path, bytes);
  };

  const absent = await broken((home) => rmSync(home, { recursive: true }));
  assert.deepEqual([absent.exitCode, absent.find("home_empty").fix], [1, "aigw init"]);

  const notADatabase = await broken((home) => scramble(join(home, "aigw.db"), 0));
  assert.equal(notADatabase.exitCode, 1);
  assert.match(notADatabase.find("store_broken").fix ?? "", /restore-backup/);

  const damaged = await broken((home) => scramble(join(home, "aigw.db"), 4_096 * 4));
  assert.equal(damaged.exitCode, 1);
  assert.ok(damaged.codes.some((code) => code === "integrity_damaged" || code === "store_broken"));

  const damagedUsage = await broken((home) => scramble(join(home, "aigw.usage.db"), 0));
  assert.match(damagedUsage.find("store_broken").message, /aigw\.usage\.db/);
  assert.ok(damagedUsage.codes.includes("master_key_opens"), "the other half is looked at all the same");

  const wrongKey = await broken((home) =>
    writeFileSync(join(home, "master.key"), `${Buffer.alloc(32, 7).toString("base64url")}\n`),
  );
  assert.match(wrongKey.find("master_key_broken").message, /does not open/);
  assert.ok(wrongKey.codes.includes("store_ready"));
  assert.ok(wrongKey.codes.includes("integrity_sound"));

  const noKey = await broken((home) => rmSync(join(home, "master.key")));
  assert.equal(noKey.find("master_key_broken").level, "fail");
  assert.equal(noKey.find("home_broken").level, "fail");

  const textKey = await broken((home) => writeFileSync(join(home, "master.key"), "not a key\n"));
  assert.equal(textKey.find("master_key_broken").message.includes("not a key"), false);

  const noDatabase = await broken((home) => rmSync(join(home, "aigw.db")));
  assert.equal(noDatabase.find("home_broken").level, "fail");

  const loose = await broken((home) => {
    chmodSync(home, 0o755);
    chmodSync(join(home, "master.key"), 0o644);
    chmodSync(join(home, "aigw.db"), 0o640);
  });
  const fixes = loose.findings.filter(({ code }) => code === "home_loose").map(({ fix }) => fix);
  assert.deepEqual(fixes, [
    `chmod 700 '${loose.home}'`,
    `chmod 600 '${join(loose.home, "master.key")}'`,
    `chmod 600 '${join(loose.home, "aigw.db")}'`,
  ]);

  const file = temporaryHome(t);
  writeFileSync(file, "");
  assert.ok((await doctor(file)).codes.includes("home_broken"));
  assert.equal((await doctor(temporaryHome(t), ["--store", "postgres://x:secret@y"])).exitCode, 1);
});

test("services and the mail server: refused, silent, failing, plain where TLS is due", async (t) => {
  const silent = await startGreeter(t);
  const failing = await startUpstream(t, (_, response) => response.writeHead(503).end());
  const picky = await startUpstream(t, (_, response) => response.writeHead(405).end());
  const home = await initialised(t, {
    refused: `http://127.0.0.1:${await closedPort()}`,
    silent: `http://127.0.0.1:${silent}`,
    failing: failing.url,
    picky: picky.url,
    nohost: "http://no-such-host.invalid",
    selfsigned: `https://localhost:${await startTls(t, selfSigned("localhost"))}`,
    notls: `https://127.0.0.1:${new URL(failing.url).port}`,
    ssh: `http://127.0.0.1:${await startGreeter(t, "SSH-2.0-x\r\n")}`,
    speakstls: `http://127.0.0.1:${await startGreeter(t, "\x15\x03\x01\x00\x02\x02\x46")}`,
    bare: `http://127.0.0.1:${await startGreeter(t, "HTTP/1.1 200 OK\n\n")}`,
  });
  const answer = await doctor(home, [], { AIGW_SMTP_URL: `smtp://127.0.0.1:${silent}` });
  assert.deepEqual(
    Object.fromEntries(
      answer.findings.flatMap(({ about, code }) => (about.startsWith("service ") ? [[about.slice(8), code]] : [])),
    ),
    {
      bare: "service_invalid",
      failing: "service_failing",
      nohost: "service_unreachable",
      notls: "service_unreachable",
      picky: "service_answers",
      refused: "service_unreachable",
      selfsigned: "service_untrusted",
      silent: "service_silent",
      speakstls: "service_invalid",
      ssh: "service_invalid",
    },
  );
  const reasons = Object.fromEntries(
    answer.findings.flatMap(({ about, message }) => {
      const reason = / gives no answer: .* \((\w+)(?:, \w+)?\)\.$/.exec(message)?.[1];
      return reason === undefined ? [] : [[about.slice(8), reason]];
    }),
  );
  const { nohost, ...others } = reasons;
  // Without a network there is nobody to ask.
  assert.match(nohost ?? "", /^name_(not_found|lookup_failed)$/);
  assert.deepEqual(others, {
    bare: "bare_line_feed",
    notls: "not_tls",
    refused: "refused",
    selfsigned: "certificate_self_signed",
    speakstls: "speaks_tls",
    ssh: "not_http",
  });
  assert.equal(answer.find("smtp_unreachable").level, "fail");
  const greeted = async (port: number): Promise<string> =>
    (await checkSmtp({ url: `smtp://127.0.0.1:${port}`, verify: true })).map(
      ({ code, message }) => `${code} ${message}`,
    )[0] ?? "";
  assert.match(await greeted(await startGreeter(t, "554 go away\r\n")), /^smtp_refuses .*\(554\)/);
  assert.match(await greeted(await startGreeter(t, "SSH-2.0-x\r\n")), /^smtp_refuses .*does not speak SMTP/);
  assert.match(await greeted(await closedPort()), /^smtp_unreachable .*nothing listens/);
  assert.ok(answer.ms < 10_000, `${answer.ms} ms`);
  assertAdvice(answer);
});

test("the public URL and the port: who answers, who holds it", async (t) => {
  const home = await initialised(t);
  const other = await startUpstream(t, (_, response) => response.end("<html>"));
  const moved = await startUpstream(t, (_, response) =>
    response.writeHead(308, { Location: "https://x.example/" }).end(),
  );
  const proxy = await startUpstream(t, (_, response) => response.writeHead(502).end());
  const at = async (value: string): Promise<readonly string[]> =>
    (await checkPublicUrl({ value, isDefault: false }, Date.now())).map(({ code, message }) => `${code} ${message}`);
  assert.match((await at(other.url))[1] ?? "", /^public_url_not_aigw /);
  assert.match((await at(moved.url))[1] ?? "", /^public_url_redirects .*https:\/\/x\.example;/);
  assert.match((await at(proxy.url))[1] ?? "", /^public_url_no_gateway /);
  assert.match((await at(`http://127.0.0.1:${await closedPort()}`))[1] ?? "", /^public_url_unreachable /);
  const [isDefault, invalid] = await Promise.all([
    doctor(home, ["--port", new URL(other.url).port]),
    doctor(home, ["--port", String(await closedPort())], { AIGW_PUBLIC_URL: "not a url" }),
  ]);
  assert.equal(isDefault.find("public_url_default").level, "warn");
  assert.match(invalid.find("settings_invalid").message, /^AIGW_PUBLIC_URL: /);
  assert.equal(invalid.codes.filter((code) => code === "settings_invalid").length, 1, "said once");

  assert.match(isDefault.find("port_taken").message, /another program/);
  assert.equal(invalid.find("port_free").level, "ok");

  const { store, sealer } = await openHome({ home, clock: systemClock });
  await setSetting({ store, sealer, clock: systemClock, actor: "test" }, "public-url", other.url);
  await store.close();
  const stored = await doctor(home, ["--host", "192.0.2.1"]);
  assert.ok(stored.codes.includes("public_url_not_aigw"), "the stored setting counts");
  assert.equal(stored.find("port_unusable").level, "fail");
});
