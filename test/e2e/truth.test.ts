import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addService,
  awaitGateways,
  removeClient,
  removeService,
  rotateSecret,
  setClient,
  setPassword,
} from "@aigw/core";
import { anInstance } from "@aigw/core/testing";
import { json, aigw as run } from "../../packages/cli/test/support/harness.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send, startUpstream } from "../support/http.ts";
import { until } from "../support/until.ts";

interface Said {
  readonly findings: readonly { readonly code: string; readonly message: string; readonly client?: string }[];
}

const codesOf = (said: Said): string => said.findings.map(({ code }) => code).join(" ");

/** What each command says on terminals of 80 and 60 columns, and whether it keeps to them. */
const onTerminal = async (home: string, argv: readonly string[], columns: 60 | 80): Promise<string> => {
  const { stdout } = await run(home, argv, { terminal: columns, env: { NO_COLOR: "1" } });
  for (const line of stdout.split("\n")) assert.ok(line.length <= columns, `${argv.join(" ")} at ${columns}: ${line}`);
  return stdout;
};

interface Place extends TestGateway {
  readonly why: (name: string) => Promise<Said>;
  readonly review: () => Promise<string>;
  readonly doctor: () => Promise<Said>;
  /** Calls `count` times, one after the other. @returns the statuses, each once */
  readonly call: (token: string, count: number, service?: string) => Promise<readonly number[]>;
  readonly recorded: (calls: number) => Promise<unknown>;
}

const place = async (t: TestContext, services: Record<string, string>): Promise<Place> => {
  const gateway = await startTestGateway(t, { services });
  const { home, url } = gateway;
  const asked = async (...argv: readonly string[]): Promise<Said> => json<Said>(await run(home, [...argv, "--json"]));
  return {
    ...gateway,
    why: (name) => asked("why", name),
    review: async () => (await asked("review")).findings.map(({ client, code }) => `${client}:${code}`).join(" "),
    doctor: () => asked("doctor"),
    call: async (token, count, service = "ocr") => {
      const statuses = new Set<number>();
      for (let n = 0; n < count; n += 1) {
        statuses.add((await send(`${url}/api/${service}/x`, { headers: bearer(token) })).status);
      }
      return [...statuses];
    },
    recorded: (calls) =>
      until(
        `${calls} calls on record`,
        async () => (await run(home, ["usage", "report", "-q"])).stdout === `${calls}\n`,
      ),
  };
};

/** Fails two of five calls. */
const flaky = (t: TestContext): ReturnType<typeof startUpstream> => {
  let calls = 0;
  return startUpstream(t, (request, response) => {
    if (request.method !== "HEAD") calls += 1;
    response.statusCode = request.method !== "HEAD" && calls % 5 < 2 ? 502 : 200;
    response.end();
  });
};

test("a service that fails two of five calls, and a client whose old token goes on calling", async (t) => {
  const upstream = await flaky(t);
  const gateway = await place(t, { ocr: upstream.url });
  const { home, url, deps, why, review, doctor, call, recorded } = gateway;
  const old = await gateway.tokenFor("john");
  assert.deepEqual((await call(old, 25)).toSorted(), [200, 502]);
  await recorded(25);
  assert.equal(codesOf(await why("john")), "service_failing");
  assert.match(
    (await why("john")).findings[0]?.message ?? "",
    /^ocr failed 10 of john's 25 calls .* 502 \(10 times\)\./,
  );
  assert.equal(await review(), "john:calls_failing");
  const found = await doctor();
  assert.match(codesOf(found), /service_answers service_fails_calls calls_counted/);
  assert.match(JSON.stringify(found), /10 of 25 calls in the last 15 minutes failed: 502 \(10 times\)/);

  // A login of its own with the new password, while most of it calls with what it had.
  const { result } = await setPassword(deps, "john");
  const answer = await send(`${url}/auth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username: "john", password: result.password }).toString(),
  });
  const { access_token: fresh } = JSON.parse(answer.body) as { access_token: string };
  await call(fresh, 1);
  assert.deepEqual(await call(old, 80), [401]);
  await recorded(106);
  const after = await why("john");
  assert.equal(codesOf(after), "token_superseded service_failing");
  assert.match(
    after.findings[0]?.message ?? "",
    /^80 calls of 106 .* got 401, the latest \S+: the token was from before a new password, .* \(new password by test\)\. It has to log in again .* A good token was issued \S+, and is not what it calls with\.$/,
  );
  assert.equal(await review(), "john:calls_refused john:calls_failing");
  assert.match(codesOf(await doctor()), /service_fails_calls calls_refused/);
  for (const columns of [80, 60] as const) {
    const text = (await onTerminal(home, ["why", "john"], columns)).replace(/\n */g, " ");
    assert.match(
      text,
      /^106 calls by john in the last 15 minutes: \d+ answered, 1\d failed at the service, 80 refused; the latest, (just now|\d+ s ago), got 401\. ✗ 80 calls/,
    );
    assert.match(
      await onTerminal(home, ["usage", "report"], columns),
      / {2}Denied[\s\S]*john [^\n]* {6}80 [\s\S]*total/,
    );
    assert.match(await onTerminal(home, ["top", "--once"], columns), /denied[\s\S]*\njohn .* 80\b/);
    assert.match(
      await onTerminal(home, ["usage", "tail", "-n", "1"], columns),
      /\d\d:\d\d:\d\dZ +john +ocr +(GET +)?401 .*(token_s…|×20 token…|×20 toke…)/,
    );
    for (const argv of [["review"], ["doctor"]]) await onTerminal(home, argv, columns);
  }
  assert.equal(
    codesOf(json<Said>(await run(home, ["why", await lastRequest(gateway), "--json"]))),
    "request_token_refused",
  );
});

const lastRequest = async ({ store }: TestGateway): Promise<string> =>
  (await store.traffic.latestUsage({}, 1)).events[0]?.requestId ?? "";

test("what was so before a change is not told as if it were so now", async (t) => {
  const upstream = await startUpstream(t, (_, response) => response.end("ok"));
  const gateway = await place(t, { ocr: upstream.url, chat: upstream.url, tts: upstream.url });
  const { deps, store, why, review, call, recorded } = gateway;
  const limited = await gateway.tokenFor("limited", { limit: 2 });
  assert.deepEqual(await call(limited, 14), [200, 429]);
  const curious = await gateway.tokenFor("curious", { services: ["ocr"] });
  await call(curious, 1);
  assert.deepEqual([...(await call(curious, 2, "chat")), ...(await call(curious, 1, "tts"))], [403, 403]);
  await recorded(18);
  assert.match(codesOf(await why("limited")), /^limit_reached/);
  assert.match(await review(), /limited:over_limit/);
  // Both services in one command: each in one of its own would take the other away again.
  const { findings } = json<{ findings: { code: string; command: string }[] }>(
    await run(gateway.home, ["why", "curious", "--json"]),
  );
  assert.deepEqual(
    findings.map(({ code, command }) => [code, command]),
    [["service_not_allowed", "aigw client set curious --services ocr,chat,tts"]],
  );

  await awaitGateways(deps, (await setClient(deps, "limited", { limit: 1_000 })).rev);
  assert.deepEqual(await call(limited, 1), [200]);
  await recorded(19);
  assert.equal(codesOf(await why("limited")), "fine");
  assert.doesNotMatch(await review(), /limited:/);
  await setClient(deps, "curious", { services: ["ocr", "chat", "tts"] });
  assert.equal(codesOf(await why("curious")), "fine");

  await removeService(deps, "chat");
  await removeService(deps, "tts");
  assert.equal(codesOf(await why("curious")), "service_missing");
  await addService(deps, { name: "chat", url: upstream.url });

  await rotateSecret(deps);
  await until("the old key is dead", async () => (await call(limited, 1))[0] === 401);
  await until("the refusal on record", async () => /token_rotated/.test(codesOf(await why("limited"))));

  // Somebody new of the same name has none of the old one's calls.
  await removeClient(deps, "limited");
  assert.match((await run(gateway.home, ["why", "limited"])).stderr, /limited was removed 20\S+ by test/);
  await gateway.add("limited");
  assert.equal(codesOf(await why("limited")), "no_login");
  assert.match(await review(), /limited:never_used/);

  // A gateway that stopped reporting is none that serves.
  await store.traffic.reportInstance(anInstance({ address: "http://127.0.0.1:9", appliedRev: 1_000, state: "stale" }));
  assert.match(codesOf(await why("curious")), /gateway_stale/);
});
