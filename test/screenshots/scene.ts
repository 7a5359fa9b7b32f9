import { createServer, type Server } from "node:http";
import {
  addClient,
  addService,
  type ChangeDraft,
  type Clock,
  initHome,
  openHome,
  revokeClient,
  setSetting,
  systemClock,
  type UsageEvent,
} from "@aigw/core";
import { aClient, anEvent, anInstance } from "@aigw/core/testing";

/** The pictures' own time, so that `3 d ago` stays what it is. */
export const NOW = Date.UTC(2027, 2, 15, 10, 24);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The machine's own for whoever runs: presence goes by it. */
const clock: Clock = { now: () => NOW, monotonic: () => systemClock.monotonic() };
const ACTOR = "ann@gateway-1";

interface Scene {
  /** Ends the gateways of the scene. */
  readonly end: () => Promise<void>;
}

/** A team's gateway on an ordinary day: three services, one of which fails, five clients, one of whom was revoked. */
export const setScene = async (home: string): Promise<Scene> => {
  await initHome({ home, at: NOW - 40 * DAY, actor: ACTOR });
  const upstreams = await Promise.all(PORTS.map(upstreamOn));
  const { store, sealer } = await openHome({ home, clock });
  const deps = { store, sealer, clock, actor: ACTOR };
  await setSetting(deps, "public-url", "https://ai.example.com");
  await setSetting(deps, "support-email", "ai-support@example.com");
  await addService(deps, { name: "ocr", url: "http://127.0.0.1:9000", description: "Reads the text in a picture" });
  await addService(deps, { name: "chat", url: "http://127.0.0.1:8000/v1" });
  await addService(deps, { name: "whisper", url: "https://127.0.0.1:8443" });
  await addClient(deps, { name: "john", email: "john@example.com" });
  await revokeClient(deps, "john");
  await store.control.append(await store.control.head(), CLIENTS, { at: NOW - 12 * DAY, actor: ACTOR });
  await store.traffic.recordUsage(calls());
  const appliedRev = await store.control.head();
  const gateways = [1, 2].map((n) =>
    anInstance({
      ...{ id: `i_7fq2mz0${n}`, address: `http://10.0.0.${n}:8080`, hostname: `gateway-${n}`, pid: 900 + n },
      ...{ appliedRev, startedAt: NOW - n * 3 * DAY, requestsPerSecond: 2.4 / n },
    }),
  );
  const report = async (): Promise<void> => {
    for (const gateway of gateways) await store.traffic.reportInstance(gateway);
  };
  await report();
  const timer = setInterval(() => void report(), 500);
  return {
    end: async () => {
      clearInterval(timer);
      for (const upstream of upstreams) upstream.close();
      await store.close();
    },
  };
};

/** Of ocr, chat and whisper, the last of which is thought to speak TLS. The pictures have them, so they are the same each time. */
const PORTS = [9000, 8000, 8443];

const upstreamOn = (port: number): Promise<Server> =>
  new Promise((settle, reject) => {
    const server = createServer((_, response) => response.end("ok"));
    server.once("error", reject).listen(port, "127.0.0.1", () => settle(server));
  });

const CLIENTS: readonly ChangeDraft[] = [
  aClient({ id: "c_mary", name: "mary", email: "mary@example.com", displayName: "Mary Major", limit: 60 }),
  aClient({ id: "c_desk", name: "service-desk", services: ["chat"], limit: 600, expiresAt: NOW + 16 * DAY }),
  aClient({ id: "c_scan", name: "scanner-02.warehouse", services: ["ocr"], limit: 1_200, createdAt: NOW - 90 * DAY }),
  aClient({ id: "c_erik", name: "erik", email: "erik@example.com", createdAt: NOW - 60 * DAY }),
].map((client): ChangeDraft => {
  const at = Math.min(client.createdAt, NOW - 12 * DAY);
  const after = { ...client, createdAt: at, passwordChangedAt: at, provenAt: at };
  return { action: "client.add", subject: client.name, after };
});

const calls = (): readonly UsageEvent[] => {
  const some = (count: number, everyMs: number, fields: Partial<UsageEvent>): UsageEvent[] =>
    Array.from({ length: count }, (_, n) => {
      const latencyMs = 40 + ((n * 37) % 90);
      return anEvent({ at: NOW - 1_500 - n * everyMs, latencyMs, upstreamMs: latencyMs - 1, ...fields });
    });
  const desk = { client: "service-desk", service: "chat", path: "/api/chat/chat/completions" };
  const scanner = { client: "scanner-02.warehouse", service: "ocr", path: "/api/ocr/scan" };
  const failed = { client: "mary", service: "whisper", path: "/api/whisper/transcribe" };
  return [
    ...some(400, 3_100, { ...desk, bytesIn: 900, bytesOut: 7_400 }),
    ...some(900, 1_700, { ...scanner, bytesIn: 210_000, bytesOut: 1_100 }),
    ...some(60, 7_000, { client: "mary", service: "ocr", path: "/api/ocr/scan", bytesIn: 180_000, bytesOut: 900 }),
    ...some(14, 11_000, {
      ...failed,
      upstreamMs: 0,
      status: 502,
      outcome: "upstream_error",
      reason: "not_tls",
      latencyMs: 3,
    }),
    ...some(9, 6_000, { client: "mary", service: "ocr", path: "/api/ocr/scan", status: 429, outcome: "limited" }),
    ...some(5, 9_000, { client: "john", service: "ocr", path: "/api/ocr/scan", status: 401, outcome: "denied" }),
  ]
    .toSorted((one, other) => one.at - other.at)
    .map((event, n) => ({ ...event, id: `i_7fq2mz01.${n}`, requestId: `r-${n}` }));
};
