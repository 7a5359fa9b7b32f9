import assert from "node:assert/strict";
import { test } from "node:test";
import { TRIAL_FIELD } from "@aigw/core/sealing";
import { aigw as inProcess, json } from "../../packages/cli/test/support/harness.ts";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho } from "../support/http.ts";
import { until } from "../support/until.ts";

interface Report {
  readonly rows: readonly { readonly client: string; readonly requests: number; readonly denied: number }[];
}
interface Findings {
  readonly findings: readonly { readonly code: string; readonly client?: string }[];
}

test("the trial of a quick start is never taken for the client's own login and calls", async (t) => {
  const echo = await startEcho(t);
  const { home, url, store } = await startTestGateway(t, { services: { ocr: echo.url, chat: echo.url } });
  for (const path of [process.env["PATH"] ?? "", "/nowhere"]) {
    const run = (argv: readonly string[]): ReturnType<typeof inProcess> =>
      inProcess(home, argv, { env: { PATH: path } });
    const name = path === "/nowhere" ? "by-node" : "by-curl";
    await run(["config", "set", "public-url", url]);
    const onboarded = await run(["onboard", name, "--create", "--json"]);
    assert.equal(onboarded.code, 0, onboarded.stderr);
    const rows = (): Promise<Map<string, number>> =>
      run(["usage", "report", "--json"]).then(
        (report) => new Map(json<Report>(report).rows.map(({ client, requests }) => [client, requests])),
      );
    await until("the trial on record", async () => (await rows()).get(`${name}:trial`) === 2);
    assert.equal((await rows()).get(name), undefined);
    assert.equal((await run(["why", name, "-q"])).stdout, "no_login\n");
    const review = json<Findings>(await run(["review", "--json"])).findings;
    assert.deepEqual(
      review.filter(({ client }) => client === name).map(({ code }) => code),
      ["never_used"],
    );
    const client = await store.control.client(name);
    assert.deepEqual(
      (await store.traffic.liveTokens(0)).filter(({ clientId }) => clientId === client?.id),
      [],
    );
    // A mark of one's own making makes no trial of it.
    const { password } = json<{ password: string }>(onboarded);
    const answer = await send(`${url}/auth/token`, {
      method: "POST",
      headers: {
        "Content-Type": "application/x-www-form-urlencoded",
        [TRIAL_FIELD]: `${Math.floor(Date.now() / 1000)}.${"A".repeat(43)}`,
      },
      body: new URLSearchParams({ username: name, password }).toString(),
    });
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
    assert.equal((await send(`${url}/api/ocr`, { headers: bearer(token) })).status, 200);
    await until("the client's own call on record", async () => (await rows()).get(name) === 1);
    assert.equal((await rows()).get(`${name}:trial`), 2);
    assert.equal((await run(["why", name, "-q"])).stdout, "fine\n");
  }
});
