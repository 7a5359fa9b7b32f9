import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setSetting, unsetSetting } from "@aigw/core";
import { aigw, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { doctor } from "../support/doctor.ts";
import { JumpingClock, startTestGateway, type TestGateway } from "../support/gateway.ts";
import { type Answer, bearer, send, sendRaw, startEcho } from "../support/http.ts";
import { prepareHome, withHome } from "../support/prepared-home.ts";
import { ONLY_AT_FULL_SIZE } from "../support/rounds.ts";
import { until, within } from "../support/until.ts";
import { startWorkers } from "../support/workers.ts";

type Fields = Record<string, string | string[]>;

/** A login by somebody at `from`: straight, or by a proxy at 127.0.0.1 that says so in `fields`. */
const login = (url: string, username: string, password: string, fields: Fields = {}, from?: string): Promise<Answer> =>
  send(`${url}/auth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...fields },
    body: new URLSearchParams({ username, password }).toString(),
    ...(from && { localAddress: from }),
  });

const by = (client: string): Fields => ({ "X-Forwarded-For": client });

/** Twelve wrong guesses, one after the other: more at once a busy machine may put off with 503. @returns their statuses */
const guess = async (url: string, fieldsOf: (attempt: number) => Fields, from?: string): Promise<readonly number[]> => {
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1)
    statuses.push((await login(url, "john", `Guess-number-${i}`, fieldsOf(i), from)).status);
  return statuses.sort();
};

const TEN_THEN_SLOW = [...Array<number>(10).fill(401), 429, 429];

interface Line {
  readonly level: string;
  readonly peer?: string;
  readonly mend?: string;
  readonly msg: string;
}

const warnings = ({ log }: Pick<TestGateway, "log">): readonly Line[] =>
  log.map((line) => JSON.parse(line) as Line).filter(({ peer }) => peer !== undefined);

describe("who is calling", () => {
  it("is whom a trusted proxy names, and what an upstream is told", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, {
      services: { echo: echo.url },
      trustProxy: "127.0.0.1,10.0.0.0/8,2001:db8:ff::/48",
    });
    const token = await gateway.tokenFor("john", { limit: 10_000 });
    const { host } = new URL(gateway.url);
    /** What the upstream is told of a request that the proxy at 127.0.0.1 has sent with these fields. */
    const told = async (fields: Fields, from?: string): Promise<Readonly<Record<string, string>>> => {
      const headers = { ...bearer(token), ...fields };
      const answer = await send(`${gateway.url}/api/echo`, { headers, ...(from && { localAddress: from }) });
      assert.equal(answer.status, 200, `${JSON.stringify(fields).slice(0, 100)}: ${answer.body}`);
      return (JSON.parse(answer.body) as { headers: Record<string, string> }).headers;
    };
    const forwarded = (value: string): Fields => ({ Forwarded: value });
    const PEER = "127.0.0.1";
    const addresses: readonly (readonly [what: string, fields: Fields, expected: string])[] = [
      ["no field", {}, PEER],
      ["one address", by("203.0.113.7"), "203.0.113.7"],
      ["what the client has made up is left of it", by("1.1.1.1, 203.0.113.7"), "203.0.113.7"],
      ["several fields are one list", { "X-Forwarded-For": ["203.0.113.7", "198.51.100.9"] }, "198.51.100.9"],
      ["trusted proxies of a chain", by("1.1.1.1, 203.0.113.7, 10.0.0.9, 10.0.0.8"), "203.0.113.7"],
      ["a client in a trusted network", by("10.0.0.9, 10.0.0.8"), "10.0.0.9"],
      ["a port", by("203.0.113.7:4711"), "203.0.113.7"],
      ["IPv6", by("2001:DB8:0:0::7"), "2001:db8::7"],
      ["IPv6 in brackets", by("[2001:db8::7]"), "2001:db8::7"],
      ["IPv6 with a port", by("[2001:db8::7]:4711"), "2001:db8::7"],
      ["IPv6 of a trusted network", by("203.0.113.7, 2001:db8:ff::1"), "203.0.113.7"],
      ["IPv4 as IPv6", by("::ffff:203.0.113.7"), "203.0.113.7"],
      ["IPv4 as IPv6, in hexadecimal", by("::FFFF:cb00:7107"), "203.0.113.7"],
      ["a trusted proxy as IPv6", by("203.0.113.7, ::ffff:10.0.0.1"), "203.0.113.7"],
      ["blanks and empty items", by(" ,, 203.0.113.7 ,\t, "), "203.0.113.7"],
      ["an empty field", by(""), PEER],
      ["unknown", by("unknown"), PEER],
      ["unknown behind a proxy", by("1.1.1.1, unknown, 10.0.0.8"), "10.0.0.8"],
      ["a name", by("evil.example"), PEER],
      ["no address", by("203.0.113.256"), PEER],
      ["octal or decimal", by("0203.0.113.7"), PEER],
      ["a port that is none", by("203.0.113.7:port"), PEER],
      ["garbage to the right", by("203.0.113.7, \"<'\\"), PEER],
      ["a zone", by("fe80::1%eth0"), "fe80::1"],
      ["thousands", by(`${"1.1.1.1,".repeat(1_500)}203.0.113.7`), "203.0.113.7"],
      ["thousands of trusted ones", by(`203.0.113.7,${"10.0.0.1,".repeat(1_500)}10.0.0.2`), "10.0.0.1"],
      ["the other spelling", { X_Forwarded_For: "203.0.113.7" }, PEER],
      ["X-Real-IP alone", { "X-Real-IP": "203.0.113.7" }, PEER],
      ["Forwarded", forwarded("for=203.0.113.7"), "203.0.113.7"],
      ["Forwarded, the right-most", forwarded('for=1.1.1.1;host=evil, FOR="203.0.113.7:99";by=_x'), "203.0.113.7"],
      ["Forwarded, a chain", forwarded("for=1.1.1.1,for=203.0.113.7 , for=10.0.0.9"), "203.0.113.7"],
      ["Forwarded, IPv6", forwarded('for="[2001:db8::7]:4711"'), "2001:db8::7"],
      ["Forwarded, IPv6 as many write it", forwarded("for=2001:db8::7"), "2001:db8::7"],
      ["Forwarded, escapes", forwarded('for="203.0.113\\.7"'), "203.0.113.7"],
      ["Forwarded, hidden", forwarded("for=_hidden"), PEER],
      ["Forwarded, hidden behind a proxy", forwarded("for=1.1.1.1, for=unknown, for=10.0.0.8"), "10.0.0.8"],
      ["Forwarded, two fields", { Forwarded: ["for=1.1.1.1", "for=203.0.113.7"] }, "203.0.113.7"],
      ["Forwarded, a quote that swallows the proxy's", { Forwarded: ['for="1.1.1.1', "for=203.0.113.7"] }, PEER],
      ["Forwarded, the same with quotes", { Forwarded: ['for="', 'for="[2001:db8::7]"'] }, PEER],
      ["Forwarded, twice in an element", forwarded("for=1.1.1.1;for=203.0.113.7"), PEER],
      ["Forwarded, garbage", forwarded("for=203.0.113.7 x"), PEER],
      ["Forwarded, blanks", forwarded(`for=203.0.113.7,${" ".repeat(10_000)}x`), PEER],
      ["both, the same", { ...by("203.0.113.7"), ...forwarded("for=203.0.113.7") }, "203.0.113.7"],
      ["both, different", { ...by("203.0.113.7"), ...forwarded("for=1.1.1.1") }, PEER],
      ["both, one that names nobody", { ...by("203.0.113.7"), ...forwarded("proto=https") }, "203.0.113.7"],
      ["both, one unreadable", { ...by("203.0.113.7"), ...forwarded('for="') }, PEER],
    ];
    for (const [what, fields, expected] of addresses) {
      const started = performance.now();
      const headers = await told(fields);
      assert.equal(headers["x-forwarded-for"], expected, what);
      assert.ok(performance.now() - started < 5_000, `${what}: in linear time`);
      assert.equal(headers["forwarded"], undefined, what);
      assert.equal(headers["x-real-ip"], undefined, what);
    }

    const others: readonly (readonly [what: string, fields: Fields, proto: string, host: string])[] = [
      ["nothing", {}, "http", host],
      ["both", { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "ai.example.com" }, "https", "ai.example.com"],
      ["a port", { "X-Forwarded-Host": "ai.example.com:8443" }, "http", "ai.example.com:8443"],
      [
        "the right-most",
        { "X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil, a.example" },
        "https",
        "a.example",
      ],
      ["WebSockets'", { "X-Forwarded-Proto": "WSS" }, "https", host],
      ["what they cannot be", { "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "a b" }, "http", host],
      ["user info", { "X-Forwarded-Host": "evil@ai.example.com" }, "http", host],
      ["Forwarded", { Forwarded: 'for=1.1.1.1;proto=https;host="ai.example.com"' }, "https", "ai.example.com"],
      [
        "the client's element",
        { Forwarded: "for=1.1.1.1;proto=https;host=a.b,for=10.0.0.1;proto=http" },
        "https",
        "a.b",
      ],
      ["different", { "X-Forwarded-Proto": "https", Forwarded: "proto=http;host=a.b" }, "http", "a.b"],
    ];
    for (const [what, fields, proto, expectedHost] of others) {
      const headers = await told(fields);
      assert.deepEqual([headers["x-forwarded-proto"], headers["x-forwarded-host"]], [proto, expectedHost], what);
    }

    const spoofed = { ...by("203.0.113.7"), Forwarded: "for=203.0.113.7;proto=https", "X-Forwarded-Host": "evil" };
    const stranger = await told({ ...spoofed, "X-Forwarded-Proto": "https" }, "127.0.0.9");
    assert.equal(stranger["x-forwarded-for"], "127.0.0.9");
    assert.equal(stranger["x-forwarded-proto"], "http");
    assert.equal(stranger["x-forwarded-host"], host);

    const contradictions = warnings(gateway).filter(({ msg }) => msg.includes("two clients"));
    assert.equal(contradictions.length, 1, "said once");
    assert.equal(contradictions[0]?.peer, PEER);
  });

  it("has guesses of its own behind a trusted proxy, which nobody else can use up", async (t) => {
    const gateway = await startTestGateway(t, { trustProxy: "127.0.0.1" });
    const john = await gateway.add("john");
    const { url } = gateway;
    assert.deepEqual(await guess(url, () => by("203.0.113.7")), TEN_THEN_SLOW);
    assert.deepEqual(
      await guess(url, (i) => by(`198.51.100.${i}, 203.0.113.8`)),
      TEN_THEN_SLOW,
      "what a visitor makes up",
    );
    assert.deepEqual(await guess(url, (i) => by(`2001:db8:1:1::${i}`)), TEN_THEN_SLOW, "all of one /64");
    assert.deepEqual(await guess(url, (i) => by(`198.51.100.${i}`), "127.0.0.9"), TEN_THEN_SLOW, "from elsewhere");
    const right = (fields: Fields, from?: string): Promise<number> =>
      login(url, "john", john.password, fields, from).then(({ status }) => status);
    assert.equal(await right(by("203.0.113.7")), 429);
    assert.equal(await right(by("2001:db8:1:1:ffff::")), 429);
    assert.equal(await right(by("198.51.100.0"), "127.0.0.9"), 429);
    assert.equal(await right(by("198.51.100.0")), 200, "whom the spoofed fields named");
    assert.equal(await right(by("2001:db8:1:2::1")), 200);
    assert.equal(await right({}), 200);
    assert.equal(await right({}, "127.0.0.8"), 200);
  });

  it("is the peer unless set otherwise: all behind one proxy share its guesses, and log and record say so", async (t) => {
    const clock = new JumpingClock();
    const gateway = await startTestGateway(t, { clock, services: { echo: (await startEcho(t)).url } });
    const john = await gateway.add("john");
    assert.deepEqual(await guess(gateway.url, (i) => by(`203.0.113.${i}`)), TEN_THEN_SLOW);
    assert.equal((await login(gateway.url, "john", john.password, by("198.51.100.1"))).status, 429);
    const mend = "aigw config set trust-proxy 127.0.0.1";
    assert.deepEqual(
      warnings(gateway).map(({ peer, mend: said }) => [peer, said]),
      [["127.0.0.1", mend]],
      "once for many requests",
    );
    const recorded = async () => (await gateway.store.traffic.instances(60_000))[0]?.untrustedForwarders;
    await until("the record", async () => (await recorded())?.length);
    assert.deepEqual(await recorded(), [{ peer: "127.0.0.1", mend }]);

    for (let i = 0; i < 40; i += 1) {
      const token = bearer("no.such.token");
      await send(`${gateway.url}/api/echo`, { headers: { ...token, ...by("x") }, localAddress: `127.0.1.${i + 1}` });
      await login(gateway.url, "nobody", "x", by("x"), `127.0.1.${i + 1}`);
    }
    assert.equal(warnings(gateway).length, 16, "whoever sends them fills no log");
    assert.ok(((await recorded())?.length ?? 9) <= 4);

    await setSetting(gateway.deps, "trust-proxy", "127.0.0.1");
    await until("the setting is in force, and nobody is left to complain of", async () => {
      return (await recorded())?.length === 0;
    });
    assert.equal((await login(gateway.url, "john", john.password, by("198.51.100.1"))).status, 200);
    await unsetSetting(gateway.deps, "trust-proxy");
    await until("off again", async () => {
      return (await login(gateway.url, "john", john.password, by("198.51.100.1"))).status === 429;
    });
    clock.advance(600_000);
    await login(gateway.url, "john", john.password, by("198.51.100.1"));
    assert.deepEqual(
      warnings(gateway)
        .slice(-1)
        .map(({ peer }) => peer),
      ["127.0.0.1"],
    );
    const lines = warnings(gateway).length;
    clock.advance(1_000);
    await login(gateway.url, "john", john.password, by("198.51.100.1"));
    assert.equal(warnings(gateway).length, lines, "not again so soon");
  });
});

/** A request that is followed by a reset at once. */
const sendAndReset = async (url: string, text: string): Promise<void> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await within("connecting", once(socket, "connect"));
  await new Promise<void>((written) => socket.write(text, () => written()));
  socket.resetAndDestroy();
};

describe("a client that is gone", () => {
  it("is not called unknown: its call is not forwarded any more", async (t) => {
    const echo = await startEcho(t);
    const gateway = await startTestGateway(t, { services: { echo: echo.url } });
    const authorization = `Authorization: Bearer ${await gateway.tokenFor("john", { limit: 10_000 })}`;
    const request = `GET /api/echo HTTP/1.1\r\nHost: a\r\n${authorization}\r\n`;
    for (let round = 0; round < 3; round += 1) {
      assert.match(await sendRaw(gateway.url, `${request}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
      // The connection to the upstream has rested, so the next call looks at it for a turn before it is sent.
      await delay(30);
      // The parser fails behind the request, and the gateway may close the connection at once.
      await sendRaw(gateway.url, `${request}Connection: close\r\n\r\n\0\r\n\r\n`);
    }
    for (let round = 0; round < 10; round += 1) await sendAndReset(gateway.url, `${request}\r\n`);
    // What came before has been dealt with when this is answered.
    assert.match(await sendRaw(gateway.url, `${request}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
    const told = echo.seen.map(({ rawHeaders }) => rawHeaders[rawHeaders.indexOf("X-Forwarded-For") + 1]);
    assert.deepEqual(new Set(told), new Set(["127.0.0.1"]));
  });
});

describe("aigw serve --trust-proxy", { concurrency: 2 }, () => {
  it("comes before the environment, that before the store, and off is the default", async (t) => {
    const home = temporaryHome(t);
    /** How to mend it, when a login by a proxy at 127.0.0.1 is taken for the proxy's. */
    const mends = async (options: { trustProxy?: string; env?: Record<string, string>; store?: string }) => {
      const gateway = await startTestGateway(t, { home, ...options });
      await login(gateway.url, "nobody", "x", by("203.0.113.7"));
      if (options.store) await setSetting(gateway.deps, "trust-proxy", options.store);
      return warnings(gateway).map(({ mend }) => mend);
    };
    const env = (value: string) => ({ env: { AIGW_TRUST_PROXY: value } });
    assert.deepEqual(await mends({ store: "127.0.0.1" }), ["aigw config set trust-proxy 127.0.0.1"]);
    assert.deepEqual(await mends({}), []);
    assert.deepEqual(await mends(env("10.0.0.1")), ["AIGW_TRUST_PROXY=10.0.0.1,127.0.0.1 aigw serve"]);
    assert.deepEqual(await mends({ ...env("127.0.0.1"), trustProxy: "off" }), ["aigw serve --trust-proxy 127.0.0.1"]);
    assert.deepEqual(await mends({ ...env("off"), trustProxy: "loopback" }), []);
  });

  it("is what doctor asks for where a proxy in front is not trusted, and config set needs no restart", async (t) => {
    const { home, passwords } = await prepareHome(t, { clients: { john: {} } });
    const { url } = await startGatewayProcess(t, home);
    const right = async (): Promise<number> =>
      (await login(url, "john", passwords["john"] ?? "", by("198.51.100.1"))).status;
    assert.deepEqual(await guess(url, () => by("203.0.113.7")), TEN_THEN_SLOW);
    assert.equal(await right(), 429);
    await until("the record", () =>
      withHome(home, async ({ store }) => (await store.traffic.instances(60_000))[0]?.untrustedForwarders?.length),
    );
    const finding = (await doctor(home)).find("gateway_untrusted_proxy");
    assert.deepEqual([finding.level, finding.about], ["warn", `gateway ${url}`]);
    assert.match(finding.message, /^127\.0\.0\.1 sends forwarded fields and is no trusted proxy/);
    assert.equal(finding.fix, "if it is your proxy: aigw config set trust-proxy 127.0.0.1; if not, nothing");
    const set = await aigw(home, ["config", "set", "trust-proxy", "127.0.0.1"]);
    assert.equal(set.stdout, "trust-proxy is 127.0.0.1 now.\n");
    await until("the setting to be in force", async () => (await right()) === 200);
  });

  it("takes its value from the flag of the process", async (t) => {
    const { home, passwords } = await prepareHome(t, { clients: { john: {} } });
    const { url } = await startGatewayProcess(t, home, ["--trust-proxy", "loopback"], { AIGW_TRUST_PROXY: "off" });
    assert.deepEqual(await guess(url, () => by("203.0.113.7")), TEN_THEN_SLOW);
    assert.equal((await login(url, "john", passwords["john"] ?? "", by("198.51.100.1"))).status, 200);
  });

  it("holds for every worker", ONLY_AT_FULL_SIZE, async (t) => {
    const { home, passwords } = await prepareHome(t, { clients: { john: {} } });
    const { url } = await startWorkers(t, home, 2, ["--trust-proxy", "127.0.0.0/29"]);
    assert.deepEqual(await guess(url, () => by("203.0.113.7"), "127.0.0.2"), TEN_THEN_SLOW);
    for (let i = 0; i < 4; i += 1) {
      assert.equal((await login(url, "john", passwords["john"] ?? "", by("198.51.100.1"), "127.0.0.3")).status, 200);
    }
    const seen = await withHome(home, async ({ store }) => store.traffic.instances(60_000));
    assert.deepEqual(
      seen.map(({ untrustedForwarders }) => untrustedForwarders),
      [[], []],
    );
  });

  it("names a value that is not valid, and where it is from", async (t) => {
    const home = temporaryHome(t);
    const flag = await aigw(home, ["serve", "--port", "0", "--trust-proxy", "127.0.0.1,nginx"]);
    assert.equal(flag.code, 2);
    assert.match(flag.stderr, /--trust-proxy: trust-proxy 'nginx' is not valid: use addresses and networks such as/);
    const env = await aigw(home, ["serve", "--port", "0"], { env: { AIGW_TRUST_PROXY: "0.0.0.0/0" } });
    assert.notEqual(env.code, 0);
    assert.match(env.stderr, /AIGW_TRUST_PROXY: trust-proxy '0\.0\.0\.0\/0' is not valid: it is everybody/);
    const stored = await aigw(home, ["config", "set", "trust-proxy", "10.0.0.0/33"]);
    assert.match(stored.stderr, /trust-proxy '10\.0\.0\.0\/33' is not valid/);
  });
});
