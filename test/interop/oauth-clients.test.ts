import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { addClient } from "@aigw/core";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { ClientCredentials, ResourceOwnerPassword } from "simple-oauth2";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { bearer, send, startEcho } from "../support/http.ts";
import { NEEDS, reportNeed } from "../support/needs.ts";
import { pythonMissing, pythonRan, runPython } from "../support/python.ts";

/** Each has what clients treat differently on the way: `%41` and `+` are also form encoding. */
const PASSWORDS = { john: "Grape%41+Melon:7 & red", zoe: "Zwölf%41+Gläser:7 & rot" };
const NAMES = Object.keys(PASSWORDS) as (keyof typeof PASSWORDS)[];

let gateway: TestGateway;
let tokenUrl: string;
let callUrl: string;

const called = async (token: unknown): Promise<void> => {
  assert.equal(typeof token, "string");
  assert.equal((await send(callUrl, { headers: bearer(token as string) })).status, 200);
};

/** @param printed a JSON object: each case's name, and "ok" or what went wrong */
const assertAllOk = (printed: string, atLeast: number): void => {
  const outcomes = JSON.parse(printed) as Record<string, string>;
  assert.deepEqual(
    Object.entries(outcomes).filter(([, outcome]) => outcome !== "ok"),
    [],
  );
  assert.ok(Object.keys(outcomes).length >= atLeast, printed);
};

const GO_SOURCES = resolve(import.meta.dirname, "go");
const scratch = mkdtempSync(join(tmpdir(), "aigw-go-"));
const goProgram = join(scratch, "oauth-clients");

/**
 * Builds the clients in Go from what `.ci/run` has fetched. Nothing is ever fetched from here.
 * @returns why they cannot be had
 */
const buildGo = (): string | false => {
  const env = { ...process.env, GOPROXY: "off", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
  const { error, status, stderr } = spawnSync("go", ["build", "-o", goProgram, "."], {
    cwd: GO_SOURCES,
    env,
    encoding: "utf8",
  });
  if (error) return "there is no go in the PATH";
  if (status === 0) return false;
  if (/GOPROXY=off/.test(stderr)) return "golang.org/x/oauth2 is not in Go's module cache (.ci/run fetches it)";
  return `go build: ${stderr.trim()}`;
};

const goMissing = buildGo();
if (goMissing) reportNeed(NEEDS.go, goMissing);

describe("stock OAuth 2 clients get a token and use it", () => {
  const cleanups: (() => Promise<unknown> | unknown)[] = [];
  const owner = { after: (work: () => unknown) => void cleanups.unshift(work) };

  before(async () => {
    const echo = await startEcho(owner);
    gateway = await startTestGateway(owner, { services: { echo: echo.url } });
    tokenUrl = `${gateway.url}/auth/token`;
    callUrl = `${gateway.url}/api/echo`;
    for (const name of NAMES) await addClient(gateway.deps, { name, password: PASSWORDS[name], limit: 10_000 });
  });

  after(async () => {
    for (const cleanup of cleanups) await cleanup();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const name of NAMES) {
    const password = PASSWORDS[name];

    it(`oauth4webapi, ${name}`, async () => {
      const server: oauth.AuthorizationServer = { issuer: gateway.url, token_endpoint: tokenUrl };
      const insecure = { [oauth.allowInsecureRequests]: true };
      for (const auth of [oauth.ClientSecretBasic(password), oauth.ClientSecretPost(password)]) {
        const client: oauth.Client = { client_id: name };
        const response = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, insecure);
        await called((await oauth.processClientCredentialsResponse(server, client, response)).access_token);
      }
      const any: oauth.Client = { client_id: "any" };
      const form = { username: name, password };
      const response = await oauth.genericTokenEndpointRequest(server, any, oauth.None(), "password", form, insecure);
      await called((await oauth.processGenericTokenEndpointResponse(server, any, response)).access_token);
    });

    it(`openid-client, ${name}`, async () => {
      const server = { issuer: gateway.url, token_endpoint: tokenUrl };
      for (const auth of [openid.ClientSecretBasic(password), openid.ClientSecretPost(password)]) {
        const config = new openid.Configuration(server, name, undefined, auth);
        openid.allowInsecureRequests(config);
        await called((await openid.clientCredentialsGrant(config, { resource: "x" })).access_token);
      }
      const config = new openid.Configuration(server, "any", undefined, openid.None());
      openid.allowInsecureRequests(config);
      await called((await openid.genericGrantRequest(config, "password", { username: name, password })).access_token);
    });

    it(`simple-oauth2, ${name}`, async () => {
      const auth = { tokenHost: gateway.url, tokenPath: "/auth/token" };
      for (const authorizationMethod of ["header", "body"] as const) {
        for (const credentialsEncodingMode of ["strict", "loose"] as const) {
          for (const bodyFormat of ["form", "json"] as const) {
            const options = { authorizationMethod, credentialsEncodingMode, bodyFormat };
            const other = new ResourceOwnerPassword({ client: { id: "any", secret: "" }, auth, options });
            await called((await other.getToken({ username: name, password })).token["access_token"]);
            // It takes no client_secret with other characters than those of ASCII.
            if (name === "zoe") continue;
            const own = new ClientCredentials({ client: { id: name, secret: password }, auth, options });
            await called((await own.getToken({ scope: "a" })).token["access_token"]);
          }
        }
      }
    });

    it(`requests-oauthlib, oauthlib, Authlib and httpx-auth in Python, ${name}`, { skip: pythonMissing }, async () => {
      const script = resolve(import.meta.dirname, "oauth_clients.py");
      assertAllOk(await runPython([script, tokenUrl, callUrl, name, password]), 25);
      pythonRan();
    });

    it(`golang.org/x/oauth2, ${name}`, { skip: goMissing }, async () => {
      const { stdout } = await promisify(execFile)(goProgram, [tokenUrl, callUrl, name, password]);
      assertAllOk(stdout, 9);
      reportNeed(NEEDS.go, undefined);
    });
  }
});
