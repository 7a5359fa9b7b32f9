import {
  addClient,
  addService,
  type ChangeDraft,
  initHome,
  openHome,
  revokeClient,
  setSetting,
  systemClock,
  type UsageEvent,
} from "@aigw/core";
import { aClient, aJob, anEvent, anInstance } from "@aigw/core/testing";
import { putAside } from "../../packages/cli/src/delivery/outbox.ts";

/** Names and values as long, as wide and as odd as they may be: what a table is tempted to cut. */
export const LONG = {
  client: "reporting-and-analytics.batch_jobs.of-the-finance-team.europe-w1",
  service: "transcription-of-long-audio-file",
  url: "https://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:8443/v1/models/whisper-large-v3/transcriptions",
  publicUrl: "https://ai-gateway.internal.example-company.com/team/artificial-intelligence",
  address: "http://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:8080",
  email: "reporting.and.analytics.batch-jobs@finance.internal.example-company.com",
  job: "j_0123456789abcdef0123456789abcdef01234567",
  requestId: "0f8c1d5e-7a41-4a53-9c25-0c8a3f2b9d10-a-request-id-that-somebody-chose",
} as const;

const PASSWORD = "Sesame-open-77-and-a-good-deal-longer-than-most-of-them";

/** How many clients there are. */
export const CROWD = 200;

/** A home with 200 clients, two services, calls of the last minute, and an e-mail that waits. */
export const crowdedHome = async (home: string): Promise<void> => {
  const at = systemClock.now();
  await initHome({ home, at, actor: "ann@運維-機器" });
  const { store, sealer } = await openHome({ home, clock: systemClock });
  const deps = { store, sealer, clock: systemClock, actor: "ann@運維-機器" };
  try {
    await setSetting(deps, "public-url", LONG.publicUrl);
    await setSetting(deps, "support-email", LONG.email);
    await addService(deps, { name: "ocr", url: "http://127.0.0.1:1" });
    await addService(deps, {
      name: LONG.service,
      url: LONG.url,
      description: "Schreibt auf, was gesprochen wird: 日本語, cafe\u0301, and whatever else somebody says into it",
    });
    const { result } = await addClient(deps, {
      name: LONG.client,
      password: PASSWORD,
      email: LONG.email,
      displayName: "日本語クライアント部門の分析班",
      note: "Cafe\u0301 Müller: calls at night only, 夜間のみ, from the machines of the finance department in Frankfurt",
      limit: 1_000_000,
    });
    await addClient(deps, { name: "john", password: PASSWORD, email: "john@example.com" });
    await addClient(deps, { name: "eve", password: PASSWORD });
    await revokeClient(deps, "eve");
    const many = Array.from({ length: CROWD - 3 }, (_, n): ChangeDraft => {
      const after = aClient({ name: `client-${n}`, createdAt: at - n * 3_600_000, email: `client-${n}@example.com` });
      return { action: "client.add", subject: after.name, after };
    });
    await store.control.append(await store.control.head(), many, { at, actor: "ann" });
    await store.traffic.recordUsage(callsBefore(systemClock.now()));
    const owner = { clientName: LONG.client, service: LONG.service, path: `/api/${LONG.service}/${"a".repeat(400)}` };
    for (const job of [aJob({ ...owner, id: LONG.job, at }), aJob({ state: "failed", at, requestBytes: 3e9 })]) {
      await store.traffic.setJob(0, job);
    }
    const message = { client: result.client, to: LONG.email, from: "ops@example.com", at };
    putAside({ path: home }, { ...message, bytes: Buffer.from("Subject: x\r\n\r\nx") });
  } finally {
    await store.close();
  }
};

/** Two gateways that say they are there, and apply nothing. @returns how they end */
export const seemingGateways = async (home: string): Promise<() => Promise<void>> => {
  const { store } = await openHome({ home, clock: systemClock });
  const openFiles = { used: 900, limit: 1_024, refused: 1_234 };
  const seen = { startedAt: systemClock.now() - 7_200_000, appliedRev: 2, openFiles };
  const gateways = [
    anInstance({ ...seen, address: LONG.address, hostname: "gateway-1" }),
    anInstance({ ...seen, worker: 2, requestsPerSecond: 12_345.6, droppedUsage: 9 }),
  ];
  const report = async (): Promise<void> => {
    for (const gateway of gateways) await store.traffic.reportInstance(gateway);
  };
  await report();
  const timer = setInterval(() => void report(), 500);
  return async () => {
    clearInterval(timer);
    await store.close();
  };
};

const callsBefore = (now: number): readonly UsageEvent[] => {
  const calls = (count: number, fields: Partial<UsageEvent>): UsageEvent[] =>
    Array.from({ length: count }, (_, n) =>
      anEvent({ at: now - 2_000 - (n % 40) * 1_000, latencyMs: 10 + n, ...fields }),
    );
  return [
    ...calls(120, { client: "john", requestId: LONG.requestId }),
    ...calls(40, {
      client: LONG.client,
      service: LONG.service,
      path: `/api/${LONG.service}/v1/日本語/audio/transcriptions?language=de`,
      status: 502,
      outcome: "upstream_error",
      reason: "not_tls",
    }),
    ...calls(30, {
      client: "eve",
      status: 401,
      outcome: "denied",
      count: 12,
      path: "/api/ocr/cafe\u0301/überlanger/pfad",
    }),
    ...calls(10, { client: "john", status: 429, outcome: "limited" }),
  ];
};
