import { createHmac, randomBytes, randomInt } from "node:crypto";
import { connect } from "node:net";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { residentMib } from "../resident.ts";
import { atMost, never, type Row } from "../row.ts";

const PIPELINED = 50;
/** As beside 10,000 connections. */
const MOST_MIB = 500;
/** Over the second half: until then V8 has made its young generation as large as it wants it, some 90 MiB more. */
const MOST_GROWTH_MIB = 10;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, "base64url").toString());
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const pick = <T>(values: readonly T[]): T => values[randomInt(values.length)] as T;

/** Makes one forgery after another of a genuine token, none of which may be taken. */
const forger = (genuine: string): (() => string) => {
  const [head = "", body = "", signature = ""] = genuine.split(".");
  const header = decode(head);
  const claims = decode(body);
  const signed = (h: unknown, p: unknown, secret: Uint8Array | string): string => {
    const input = `${encode(h)}.${encode(p)}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const characterChanged = (): string => {
    const at = randomInt(genuine.length);
    const other = pick([...ALPHABET, ".", "=", "+", "/"].filter((character) => character !== genuine[at]));
    return `${genuine.slice(0, at)}${other}${genuine.slice(at + 1)}`;
  };
  const kinds: readonly (() => string)[] = [
    characterChanged,
    () => `${genuine}${pick([...ALPHABET, "=", ".", "%00"])}`,
    () => genuine.slice(0, -1 - randomInt(40)),
    () => signed(header, claims, randomBytes(32)),
    () =>
      signed(header, { ...claims, exp: Number(claims["exp"]) + randomInt(1, 1e6) }, randomBytes(pick([0, 16, 32, 64]))),
    () => `${encode({ ...header, alg: pick(["none", "None", "NONE", "nOnE"]) })}.${body}.`,
    () =>
      `${encode({ ...header, alg: pick(["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA"]) })}.${body}.${signature}`,
    () =>
      signed(
        {
          ...header,
          kid: pick(["", "../../dev/null", "' OR 1=1 --", "__proto__", "constructor", randomBytes(6).toString("hex")]),
        },
        claims,
        "",
      ),
    () =>
      signed(
        {
          ...header,
          [pick(["jku", "jwk", "x5u", "crit", "b64", "zip"])]: pick([
            "https://evil.example/",
            true,
            { kty: "oct", k: "AA" },
          ]),
        },
        claims,
        pick(["", "secret"]),
      ),
    () => `${head}.${encode({ ...claims, sub: pick(["c_1", "*", "", null, 7]), client_id: "jane" })}.${signature}`,
    () => `${head}.${body}.${randomBytes(32).toString("base64url")}`,
    () =>
      [head, body, signature]
        .toSorted(() => Math.random() - 0.5)
        .join(".")
        .replace(genuine, "a.b.c"),
    () => randomBytes(randomInt(1, 400)).toString("base64url"),
    () => `${genuine}.${signature}`,
  ];
  return () => {
    const token = pick(kinds)();
    return token === genuine ? `${token}A` : token;
  };
};

/** Sends the forgeries of one connection, all before the first answer. @returns the statuses */
const statusesOf = (url: string, tokens: readonly string[]): Promise<readonly number[]> =>
  new Promise((settle, reject) => {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => settle([...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))));
    const requests = tokens.map(
      (token, index) =>
        `GET /api/echo/x HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n${index === tokens.length - 1 ? "Connection: close\r\n" : ""}\r\n`,
    );
    socket.on("connect", () => socket.write(requests.join(""), "latin1"));
  });

export const forged: Row = {
  name: "forged",
  promise: "Malformed and forged tokens, 300,000 generated: none accepted, no answer in the 500s, flat memory",
  minutes: 10,
  run: async (run) => {
    const echo = await startEcho(run);
    const { home, passwords } = await prepareHome(run, { services: { echo: echo.url }, clients: { john: UNLIMITED } });
    const { url, pid } = await startGatewayProcess(run, home);
    const genuine = await tokenFor(url, "john", passwords["john"] ?? "");
    const forge = forger(genuine);
    const statuses = new Map<number, number>();
    const batch = async (): Promise<void> => {
      const tokens = Array.from({ length: PIPELINED }, forge);
      for (const status of await statusesOf(url, tokens)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    const tries = run.size(300_000, 5_000);
    const warmUp = Math.ceil(tries / 2 / PIPELINED);
    for (let n = 0; n < warmUp; n += 4) await Promise.all([batch(), batch(), batch(), batch()]);
    const before = residentMib(pid);
    for (let n = warmUp; n < tries / PIPELINED; n += 4) await Promise.all([batch(), batch(), batch(), batch()]);
    const answered = [...statuses.values()].reduce((sum, times) => sum + times, 0);
    const sum = (wanted: (status: number) => boolean): number =>
      [...statuses].reduce((total, [status, times]) => total + (wanted(status) ? times : 0), 0);
    run.say([...statuses].map(([status, times]) => `${status}: ${times}`).join(", "));
    const good = (await send(`${url}/api/echo/x`, { headers: bearer(genuine) })).status;
    return [
      never(
        "forged tokens accepted",
        sum((status) => status < 400),
        answered,
      ),
      never("calls that reached the service", echo.seen.length - 1, answered),
      never(
        "answers in the 500s",
        sum((status) => status >= 500),
        answered,
      ),
      never("tries without an answer", Math.max(0, tries - answered), tries),
      atMost("growth of resident memory over the second half", residentMib(pid) - before, MOST_GROWTH_MIB, "MiB"),
      atMost("resident memory at the end", residentMib(pid), MOST_MIB, "MiB"),
      { what: "the genuine token afterwards", seen: String(good), promised: "200", kept: good === 200 },
    ];
  },
};
