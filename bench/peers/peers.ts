import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { temporaryFolder } from "../support/home.ts";
import { BENCH } from "../support/machine.ts";
import { answers, GATEWAY_CORE, type Pinned, startPinned, until } from "../support/processes.ts";
import { postScript } from "../support/wrk.ts";

/** A gateway to compare with, and how it wants to be called. */
export interface Peer extends Pinned {
  readonly url: string;
  readonly script: string;
}

const TOKEN_OF_NO_MEANING = "none";

export const started = async (pinned: Pinned, url: string, script: string): Promise<Peer> => {
  await until(url, () => answers(url));
  return { ...pinned, url, script };
};

/** `node:http` in, `undici` out, nothing else. */
export const startBare = async (upstream: string): Promise<Peer> => {
  const port = await freePort();
  const bare = startPinned(GATEWAY_CORE, process.execPath, [join(BENCH, "peers/bare.mjs"), upstream, String(port)]);
  return started(bare, `http://127.0.0.1:${port}/`, postScript([TOKEN_OF_NO_MEANING]));
};

/** Checks nothing either, and is a product: what users would otherwise take. */
export const startPortkey = async (upstream: string): Promise<Peer> => {
  const port = await freePort();
  const entry = join(BENCH, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const portkey = startPinned(GATEWAY_CORE, process.execPath, [entry, `--port=${port}`, "--headless"], {
    ...process.env,
    NODE_ENV: "production",
    // Portkey refuses upstreams on the loopback unless they are named.
    TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost",
  });
  const script = postScript([TOKEN_OF_NO_MEANING], {
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": upstream,
  });
  return started(portkey, `http://127.0.0.1:${port}/v1/chat/completions`, script);
};

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** What the peers that verify tokens share. */
export const SECRET = "0123456789abcdef0123456789abcdef";
export const CLIENT = "bench";

export const hs256 = (claims: object, secret: string): string => {
  const signed = `${base64url({ alg: "HS256", typ: "JWT" })}.${base64url(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
};

/** Verifies the token and counts per client, in C and on one thread: what the machine would allow. It records nothing. */
export const startHaproxy = async (upstream: string): Promise<Peer> => {
  const port = await freePort();
  const file = join(temporaryFolder(), "haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 65s
  timeout server 65s
  option http-keep-alive
backend permits
  stick-table type string len 64 size 100k expire 60s store http_req_rate(60s)
frontend in
  bind 127.0.0.1:${port}
  http-request set-var(txn.token) http_auth_bearer
  http-request deny deny_status 401 unless { var(txn.token),jwt_verify("HS256","${SECRET}") 1 }
  http-request track-sc0 var(txn.token),jwt_payload_query('$.sub') table permits
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100000000 }
  default_backend out
backend out
  server upstream ${new URL(upstream).host} maxconn 1024
`,
  );
  const haproxy = startPinned(GATEWAY_CORE, "haproxy", ["-db", "-f", file]);
  const token = hs256({ sub: CLIENT, exp: Math.floor(Date.now() / 1000) + 86_400 }, SECRET);
  return started(haproxy, `http://127.0.0.1:${port}/`, postScript([token]));
};
