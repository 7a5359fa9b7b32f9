import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import type { TestContext } from "node:test";
import { run } from "@aigw/cli";
import { initHome, openHome, openSigningKey, systemClock } from "@aigw/core";
import { cleanEnv, type RunningGateway, startGatewayProcess, temporaryHome } from "./aigw.ts";
import { type Canary, Caught, canary } from "./canary.ts";
import { type Answer, bearer, login, send, sendRaw, startUpstream, type Upstream } from "./http.ts";
import { within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

const mark = (): string => randomBytes(9).toString("hex");

export interface CommandEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line in this process: a hundred forms of it are too many to start each as one of its own. */
export const runHere = async (env: NodeJS.ProcessEnv, args: readonly string[], input = ""): Promise<CommandEnd> => {
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
    prompter: { input: noPrompt, password: noPrompt, confirm: noPrompt, pick: noPrompt, pickSeveral: noPrompt },
    onStop: () => () => true,
  } as Parameters<typeof run>[1]);
  return { code, ...caught };
};

/**
 * A home in which everything that must not come out is a word that is nowhere else, a gateway on it, and what has come
 * out so far, by who may read it.
 */
export class SecretHunt {
  /** What an admin reads; what the letters to clients hold; what anybody outside gets, and the files; the log. */
  readonly admin = new Caught();
  readonly letters = new Caught();
  readonly outside = new Caught();
  readonly log = new Caught();
  readonly answers: Answer[] = [];
  /** Passwords that letters were asked to hold. */
  readonly issued: string[] = [];
  readonly secrets: Readonly<
    Record<"password" | "upstreamKey" | "otherKey" | "host" | "basePath" | "home" | "otherClient", string>
  >;
  readonly masterKey = randomBytes(32).toString("base64url");
  readonly env: Readonly<Record<string, string>>;
  gateway!: RunningGateway;
  upstream!: Upstream;
  token = "";
  few = "";

  private constructor(t: Owner) {
    this.secrets = {
      password: `Canary-${mark()}-Pw1`,
      upstreamKey: `canary-${mark()}`,
      otherKey: `canary-${mark()}`,
      host: `canary-${mark()}.invalid`,
      basePath: `canary-${mark()}`,
      home: join(temporaryHome(t), "..", `canary-${mark()}`),
      otherClient: `canary-${mark()}`,
    };
    const { upstreamKey, otherKey } = this.secrets;
    this.env = { AIGW_MASTER_KEY: this.masterKey, UPSTREAM_KEY: upstreamKey, OTHER_KEY: otherKey };
  }

  /** The clients `john` and `few` (one call a minute, one service), the services `live` and `away`. */
  static async start(t: Owner): Promise<SecretHunt> {
    const hunt = new SecretHunt(t);
    const { secrets, masterKey, env } = hunt;
    await initHome({ home: secrets.home, masterKey, at: Date.now(), actor: "test" });
    hunt.upstream = await startUpstream(t, (incoming, outgoing) => {
      if (!incoming.url?.endsWith("/hang")) incoming.resume().on("end", () => outgoing.end("answer"));
    });
    // Every secret goes in the way it should.
    const url = `${hunt.upstream.url}/${secrets.basePath}`;
    const header = ["--header-env", "X-Api-Key=UPSTREAM_KEY"];
    for (const args of [
      ["service", "add", "live", url, ...header, "--timeout", "1s"],
      ["service", "add", "away", `http://${secrets.host}/x`, ...header],
      ["service", "set", "live", "--header-env", "X-Other=OTHER_KEY", "--json"],
      ["service", "set", "live", "--remove-header", "X-Nothing"],
      ["config", "set", "public-url", "https://ai.example.com"],
    ]) {
      await hunt.cli(args);
    }
    await hunt.mustDo(["client", "add", "john", "--password-stdin"], `${secrets.password}\n`);
    await hunt.mustDo(["client", "add", "few", "--password-stdin", "--limit", "1"], secrets.password);
    await hunt.mustDo(["client", "set", "few", "--services", "live"]);
    await hunt.mustDo(["client", "add", secrets.otherClient, "-q"], "", new Caught());
    hunt.gateway = await startGatewayProcess(t, secrets.home, ["--drain", "1s"], { ...env });
    hunt.token = await hunt.#tokenOf("john");
    hunt.few = await hunt.#tokenOf("few");
    return hunt;
  }

  /** Runs a command, and keeps what it says. */
  async cli(args: readonly string[], input?: string, into: Caught = this.admin): Promise<CommandEnd> {
    const result = await runHere({ ...cleanEnv(this.secrets.home, { ...this.env }) }, args, input);
    into.add(args.join(" "), `${result.stdout}\n${result.stderr}`);
    return result;
  }

  /** The same in each form of output. */
  async forms(args: readonly string[], input?: string): Promise<void> {
    for (const form of [[], ["--json"], ["-q"]]) await this.cli([...args, ...form], input);
  }

  async mustDo(args: readonly string[], input?: string, into?: Caught): Promise<CommandEnd> {
    const result = await this.cli(args, input, into);
    if (result.code !== 0) throw new Error(`aigw ${args.join(" ")} exited ${result.code}: ${result.stderr}`);
    return result;
  }

  /** Keeps an answer of the gateway. */
  async keep(where: string, pending: Promise<Answer>): Promise<Answer> {
    const answer = await pending;
    this.answers.push(answer);
    this.outside.add(`${where} (${answer.status})`, `${answer.rawHeaders.join("\n")}\n${answer.body}`);
    return answer;
  }

  /** Every way in which the gateway answers from outside. @returns the statuses that it came to */
  async askGateway(): Promise<ReadonlySet<number>> {
    const { url } = this.gateway;
    const { password } = this.secrets;
    const get = (path: string, as = this.token): Promise<Answer> =>
      this.keep(path, send(`${url}${path}`, { headers: bearer(as) }));
    await get("/api/live/x?key=1");
    await get("/api/away/x");
    await get("/api/live/hang");
    await get("/api/nope");
    await get("/api/away", this.few);
    await get("/api/live", this.few);
    await get("/api/live", this.few);
    await get("/api/live/../x");
    await get("/api/live", `${this.token}x`);
    for (const path of ["/", "/health", "/ready", "/guide", "/openapi.json", "/metrics", "/auth/token"])
      await get(path);
    const form = { "Content-Type": "application/x-www-form-urlencoded" };
    const post = (body: string): Promise<Answer> =>
      this.keep("POST /auth/token", send(`${url}/auth/token`, { method: "POST", headers: form, body }));
    await post(`username=john&password=${password}x`);
    await post(`username=john&username=john&password=${password}`);
    await post(`username=john&password=${password}&grant_type=x`);
    await this.keep("the query", send(`${url}/auth/token?password=${password}`, { method: "POST" }));
    this.outside.add("raw", await sendRaw(url, `GET /?${password} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`));
    return new Set(this.answers.map(({ status }) => status));
  }

  /** Letters with fresh passwords, in each form. */
  async issueLetters(): Promise<void> {
    for (const form of [["--json"], ["--email", "--json"], ["--email"], []]) {
      const { stdout } = await this.cli(["onboard", "john", "--yes", ...form], "", this.letters);
      if (form.includes("--json")) this.issued.push((JSON.parse(stdout) as { password: string }).password);
    }
  }

  /**
   * Ends the gateway and looks through everything that has come out, and through the files.
   * @param more further secrets, which may be nowhere
   */
  async end(more: readonly Canary[] = []): Promise<Found> {
    const { secrets, masterKey, token, admin, letters, outside, log } = this;
    this.#files("while it runs");
    const { store, sealer } = await openHome({ home: secrets.home, masterKey, clock: systemClock });
    const jwtSecrets = (await store.control.keyring()).flatMap((key) => openSigningKey(sealer, key) ?? []);
    const hashes = (await store.control.clients()).map(({ passwordHash }) => passwordHash);
    await store.close();
    this.gateway.child.kill("SIGTERM");
    const ended = await within("the gateway's end", this.gateway.done);
    log.add("the gateway's log", ended.stdout + ended.stderr);
    this.#files("afterwards");

    const nowhere = [
      canary("the chosen password", secrets.password),
      canary("the upstream's key", secrets.upstreamKey),
      canary("the other upstream key", secrets.otherKey),
      canary("the master key", masterKey),
      canary("the master key's bytes", Buffer.from(masterKey, "base64url")),
      canary("a token", token.split(".")[2] ?? ""),
      ...jwtSecrets.map((secret) => canary("a signing secret", secret)),
      ...more,
    ];
    const fresh = this.issued.map((password) => canary("a fresh password", password));
    const hashed = hashes.map((hash) => canary("a password's hash", hash));
    const inside = [canary("the upstream's host", secrets.host), canary("the upstream's path", secrets.basePath)];
    const place = canary("the store's path", secrets.home);
    const other = canary("another client's name", secrets.otherClient);
    const answered = new Caught();
    for (const { rawHeaders, body } of this.answers) answered.add("an answer", `${rawHeaders.join("\n")}\n${body}`);
    const leaks = [
      ...[admin, letters, outside, log].flatMap((caught) => caught.find(...nowhere)),
      ...[admin, outside, log].flatMap((caught) => caught.find(...fresh)),
      // In its own letter, and in no other.
      ...fresh.flatMap((one) => letters.find(one).slice(1)),
      ...[admin, letters, log].flatMap((caught) => caught.find(...hashed)),
      ...[answered, letters].flatMap((caught) => caught.find(...inside, place, other)),
      ...log.find(place, other),
    ];
    // The hunt itself works: what must be somewhere is found there.
    const handedOn = this.upstream.seen.flatMap(({ rawHeaders }) => rawHeaders);
    const found: Readonly<Record<string, boolean>> = {
      "signing secrets to look for": jwtSecrets.length >= 2,
      "fresh passwords in their letters": fresh.length === 2 && fresh.every((one) => letters.find(one).length > 0),
      "the upstream's host and path with the admin": admin.find(...inside).length > 0,
      "another client's name in the files": outside.find(other).length > 0,
      "the keys at the upstream": handedOn.includes(secrets.upstreamKey) && handedOn.includes(secrets.otherKey),
      "the gateway's end": ended.code === 0,
    };
    return {
      leaks,
      unfound: Object.keys(found).filter((what) => !found[what]),
      bytes: admin.size + letters.size + outside.size + log.size,
      secrets: nowhere.length + fresh.length,
    };
  }

  #files(when: string): void {
    for (const entry of readdirSync(this.secrets.home, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) this.outside.add(`${entry.name} ${when}`, readFileSync(join(entry.parentPath, entry.name)));
    }
  }

  async #tokenOf(name: string): Promise<string> {
    const answer = await login(this.gateway.url, name, this.secrets.password);
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.body}`);
    const { access_token: token, ...rest } = JSON.parse(answer.body) as { access_token: string };
    this.outside.add("a token's claims", Buffer.from(token.split(".")[1] ?? "", "base64url"));
    this.outside.add("the token answer", JSON.stringify([rest, answer.rawHeaders]));
    return token;
  }
}

export interface Found {
  /** Where which secret came out. */
  readonly leaks: readonly string[];
  /** What had to be found, if the hunt works, and was not. */
  readonly unfound: readonly string[];
  /** Looked through. */
  readonly bytes: number;
  /** Looked for. */
  readonly secrets: number;
}
