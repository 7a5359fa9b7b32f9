import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { run } from "@aigw/cli";
import { initHome, openHome, openSigningKey, systemClock } from "@aigw/core";
import { aigw, cleanEnv, spawnAigw, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { Caught, canary } from "../support/canary.ts";
import { type Answer, bearer, login, send, sendRaw, startUpstream } from "../support/http.ts";
import { within } from "../support/until.ts";

const mark = (): string => randomBytes(9).toString("hex");

/** The command line in this process: a hundred forms of it are too many to start each as one of its own. */
const runHere = async (
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  input = "",
): Promise<{ code: number; stdout: string; stderr: string }> => {
  const caught = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof caught): PassThrough =>
    new PassThrough().on("data", (chunk: Buffer) => {
      caught[name] += chunk.toString();
    });
  const noPrompt = (): Promise<never> => Promise.reject(new Error("asked"));
  const code = await run(args, {
    stdin: Readable.from(input === "" ? [] : [Buffer.from(input)]),
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    env,
    cwd: "/",
    prompter: { input: noPrompt, password: noPrompt, confirm: noPrompt },
    onStop: () => () => true,
  } as Parameters<typeof run>[1]);
  return { code, ...caught };
};

describe("secrets", () => {
  it("come out nowhere: not in any command, answer, log, e-mail, audit record or file", async (t) => {
    const secrets = {
      password: `Canary-${mark()}-Pw1`,
      upstreamKey: `canary-${mark()}`,
      otherKey: `canary-${mark()}`,
      host: `canary-${mark()}.invalid`,
      basePath: `canary-${mark()}`,
      home: join(temporaryHome(t), "..", `canary-${mark()}`),
      otherClient: `canary-${mark()}`,
    };
    const { home } = secrets;
    const masterKey = randomBytes(32).toString("base64url");
    const env = { AIGW_MASTER_KEY: masterKey, UPSTREAM_KEY: secrets.upstreamKey, OTHER_KEY: secrets.otherKey };
    await initHome({ home, masterKey, at: Date.now(), actor: "test" });
    const upstream = await startUpstream(t, (incoming, outgoing) => {
      if (!incoming.url?.endsWith("/hang")) incoming.resume().on("end", () => outgoing.end("answer"));
    });

    const admin = new Caught();
    const onboarding = new Caught();
    const outside = new Caught();
    const cli = async (args: readonly string[], input?: string, into = admin) => {
      const result = await runHere({ ...cleanEnv(home, env) }, args, input);
      into.add(args.join(" "), `${result.stdout}\n${result.stderr}`);
      return result;
    };
    const forms = async (args: readonly string[]): Promise<void> => {
      for (const form of [[], ["--json"], ["-q"]]) await cli([...args, ...form]);
    };

    // Set-up, with every secret going in the way it should.
    const url = `${upstream.url}/${secrets.basePath}`;
    const header = ["--header-env", "X-Api-Key=UPSTREAM_KEY"];
    for (const args of [
      ["service", "add", "live", url, ...header, "--timeout", "1s"],
      ["service", "add", "away", `http://${secrets.host}/x`, ...header],
      ["service", "set", "live", "--header-env", "X-Other=OTHER_KEY", "--json"],
      ["service", "set", "live", "--remove-header", "X-Nothing"],
      ["config", "set", "public-url", "https://ai.example.com"],
    ]) {
      await cli(args);
    }
    assert.equal((await cli(["client", "add", "john", "--password-stdin"], `${secrets.password}\n`)).code, 0);
    assert.equal((await cli(["client", "add", "few", "--password-stdin", "--limit", "1"], secrets.password)).code, 0);
    assert.equal((await cli(["client", "set", "few", "--services", "live"])).code, 0);
    assert.equal((await cli(["client", "add", secrets.otherClient, "-q"], "", new Caught())).code, 0);

    const gateway = await startGatewayProcess(t, home, ["--drain", "1s"], env);
    const answers: Answer[] = [];
    const keep = async (where: string, pending: Promise<Answer>): Promise<Answer> => {
      const answer = await pending;
      answers.push(answer);
      outside.add(`${where} (${answer.status})`, `${answer.rawHeaders.join("\n")}\n${answer.body}`);
      return answer;
    };
    const tokenOf = async (name: string): Promise<string> => {
      const answer = await login(gateway.url, name, secrets.password);
      assert.equal(answer.status, 200, answer.body);
      const { access_token: token, ...rest } = JSON.parse(answer.body);
      outside.add("a token's claims", Buffer.from(token.split(".")[1], "base64url"));
      outside.add("the token answer", JSON.stringify([rest, answer.rawHeaders]));
      return token as string;
    };
    const token = await tokenOf("john");
    const few = await tokenOf("few");
    const get = (path: string, as = token): Promise<Answer> =>
      keep(path, send(`${gateway.url}${path}`, { headers: bearer(as) }));
    await get("/api/live/x?key=1");
    await get("/api/away/x");
    await get("/api/live/hang");
    await get("/api/nope");
    await get("/api/away", few);
    await get("/api/live", few);
    await get("/api/live", few);
    await get("/api/live/../x");
    await get("/api/live", `${token}x`);
    for (const path of ["/", "/health", "/ready", "/guide", "/openapi.json", "/metrics", "/auth/token"])
      await get(path);
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const post = (body: string) =>
      keep("POST /auth/token", send(`${gateway.url}/auth/token`, { method: "POST", headers: form, body }));
    await post(`username=john&password=${secrets.password}x`);
    await post(`username=john&username=john&password=${secrets.password}`);
    await post(`username=john&password=${secrets.password}&grant_type=x`);
    await keep("the query", send(`${gateway.url}/auth/token?password=${secrets.password}`, { method: "POST" }));
    outside.add("raw", await sendRaw(gateway.url, `GET /?${secrets.password} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`));
    const statuses = new Set(answers.map(({ status }) => status));
    for (const status of [200, 400, 401, 403, 404, 405, 429, 502, 504]) assert.ok(statuses.has(status), `${status}`);

    // Every command, in every form; then what people do wrong.
    const every = [
      ["client", "list"],
      ["client", "show", "john"],
      ["client", "set", "john", "--note", "n"],
      ["client", "revoke", "few", "--yes"],
      ["client", "restore", "few"],
      ["service", "list"],
      ["service", "show", "live"],
      ["service", "set", "away", "--timeout", "2s"],
      ["secret", "list"],
      ["secret", "rotate", "--yes", "--grace", "60m"],
      ["usage", "tail", "-n", "100"],
      ["audit", "list", "-n", "1000"],
      ["config", "list"],
      ["status"],
      ["init"],
      ["help", "exit-codes"],
      ["client", "--help"],
      ["serve", "--help"],
      ["client", "add", "john"],
      ["client", "show", "nobody"],
      ["client", "sho", "john"],
      ["client", "set", "john", "--limit", "x"],
      ["serve", "--port", "x"],
      ["service", "add", "bad", "http://u:p@a/"],
    ];
    for (const args of every) await forms(args);
    for (const name of ["weak", "john"]) {
      await cli(["client", "add", name, "--password-stdin"], `${secrets.password}\u0001\n`);
      await cli(["client", "passwd", name, "--password-stdin", "--yes", "--json"], `${secrets.password}\n`);
      await cli(["client", "add", name, "--password-stdin", "--json"], `${secrets.password}\n`);
    }
    const wrong = { ...cleanEnv(home, { ...env, AIGW_MASTER_KEY: `${masterKey}x`, AIGW_DEBUG: "1" }) };
    for (const form of [[], ["--json"]]) {
      const { code, stdout, stderr } = await runHere(wrong, ["client", "list", ...form]);
      assert.equal(code, 4);
      admin.add("a wrong master key", stdout + stderr);
    }
    for (const given of [`X-Key=${secrets.otherKey}`, secrets.otherKey, `${secrets.otherKey}=`]) {
      await forms(["service", "set", "live", "--header-env", given]);
    }
    const passwords: string[] = [];
    for (const form of [["--json"], ["--email", "--json"], ["--email"], []]) {
      const { stdout } = await cli(["onboard", "john", "--yes", ...form], "", onboarding);
      if (form.includes("--json")) passwords.push((JSON.parse(stdout) as { password: string }).password);
    }
    const real = await aigw(home, ["client", "show", "john"], { env });
    admin.add("client show as a process", real.stdout + real.stderr);
    const lost = spawnAigw(home, ["serve", "--port", new URL(gateway.url).port], { env });
    const { code, stdout, stderr } = await within("a port in use", lost.done);
    assert.equal(code, 1);
    admin.add("serve on a port in use", stdout + stderr);

    const files = (when: string): void => {
      for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) outside.add(`${entry.name} ${when}`, readFileSync(join(entry.parentPath, entry.name)));
      }
    };
    files("while it runs");
    const { store, sealer } = await openHome({ home, masterKey, clock: systemClock });
    const jwtSecrets = (await store.control.keyring()).flatMap((key) => openSigningKey(sealer, key) ?? []);
    const hashes = (await store.control.clients()).map(({ passwordHash }) => passwordHash);
    await store.close();
    gateway.child.kill("SIGTERM");
    const ended = await within("the gateway's end", gateway.done);
    assert.equal(ended.code, 0);
    const log = new Caught();
    log.add("the gateway's log", ended.stdout + ended.stderr);
    files("afterwards");

    const nowhere = [
      canary("the chosen password", secrets.password),
      canary("the upstream's key", secrets.upstreamKey),
      canary("the other upstream key", secrets.otherKey),
      canary("the master key", masterKey),
      canary("the master key's bytes", Buffer.from(masterKey, "base64url")),
      canary("a token", token.split(".")[2] ?? ""),
      ...jwtSecrets.map((secret) => canary("a signing secret", secret)),
    ];
    assert.ok(jwtSecrets.length >= 2 && passwords.length === 2);
    for (const caught of [admin, onboarding, outside, log]) assert.deepEqual(caught.find(...nowhere), []);
    const fresh = passwords.map((password) => canary("a fresh password", password));
    for (const caught of [admin, outside, log]) assert.deepEqual(caught.find(...fresh), []);
    for (const one of fresh) assert.equal(onboarding.find(one).length, 1, "exactly once");
    const hashed = hashes.map((hash) => canary("a password's hash", hash));
    for (const caught of [admin, onboarding, log]) assert.deepEqual(caught.find(...hashed), []);

    const inside = [canary("the upstream's host", secrets.host), canary("the upstream's path", secrets.basePath)];
    const place = canary("the store's path", home);
    const answered = new Caught();
    for (const { rawHeaders, body } of answers) answered.add("an answer", `${rawHeaders.join("\n")}\n${body}`);
    const other = canary("another client's name", secrets.otherClient);
    for (const caught of [answered, onboarding]) assert.deepEqual(caught.find(...inside, place, other), []);
    assert.deepEqual(log.find(place, other), []);
    t.diagnostic(`${admin.size + onboarding.size + outside.size + log.size} bytes searched`);

    // The hunt itself works: what must be somewhere is found there.
    assert.ok(admin.find(...inside).length > 0 && outside.find(other).length > 0);
    const handedOn = upstream.seen.flatMap(({ rawHeaders }) => rawHeaders);
    assert.ok(handedOn.includes(secrets.upstreamKey) && handedOn.includes(secrets.otherKey));
  });
});
