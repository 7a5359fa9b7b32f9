import type { Client } from "../clients/client.ts";
import { type Job, newJobId } from "../jobs/job.ts";
import type { SigningKey } from "../keys/signing-key.ts";
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, type Service } from "../services/service.ts";
import type { Instance } from "../store/store.ts";
import type { UsageEvent } from "../usage/usage-event.ts";

const CREATED_AT = Date.UTC(2027, 0, 1);
let count = 0;
/** Sixteen characters, different each time. */
const serial = (): string => {
  count += 1;
  return String(count).padStart(16, "0");
};

/** An active client without options; its hash opens with no password. */
export const aClient = (fields: Partial<Client> = {}): Client => {
  const id = serial();
  return {
    id: `c_${id}`,
    name: `client-${count}`,
    passwordHash:
      "$argon2id$v=19$m=19456,t=2,p=1$dGVzdHRlc3R0ZXN0dGVzdA$bm90IGEgcmVhbCBoYXNoLCBvcGVucyB3aXRoIG5vdGhpbmc",
    status: "active",
    epoch: 1,
    createdAt: CREATED_AT,
    passwordChangedAt: CREATED_AT,
    ...fields,
  };
};

export const aService = (fields: Partial<Service> = {}): Service => ({
  id: `s_${serial()}`,
  name: `service-${count}`,
  url: "http://127.0.0.1:9000",
  timeoutMs: DEFAULT_TIMEOUT_MS,
  idleTimeoutMs: DEFAULT_IDLE_TIMEOUT_MS,
  headers: [],
  createdAt: CREATED_AT,
  ...fields,
});

/** An active key whose secret opens with no master key. */
export const aSigningKey = (fields: Partial<SigningKey> = {}): SigningKey => ({
  kid: `k_${serial().slice(4)}`,
  alg: "HS256",
  status: "active",
  sealedSecret: "v1.none",
  createdAt: CREATED_AT,
  activatedAt: CREATED_AT,
  ...fields,
});

/** An answered call. */
export const anEvent = (fields: Partial<UsageEvent> = {}): UsageEvent => ({
  id: `i_test.${serial()}`,
  at: CREATED_AT + count,
  client: "john",
  service: "ocr",
  method: "POST",
  path: "/api/ocr/v1/read",
  status: 200,
  latencyMs: 12.5,
  upstreamMs: 10,
  bytesIn: 1_024,
  bytesOut: 2_048,
  requestId: `r_${count}`,
  outcome: "ok",
  ...fields,
});

export const anInstance = (fields: Partial<Instance> = {}): Instance => ({
  id: `i_${serial()}`,
  address: "http://127.0.0.1:8080",
  pid: 4_242,
  version: "0.1.0",
  startedAt: CREATED_AT,
  state: "ready",
  appliedRev: 0,
  requestsPerSecond: 0,
  droppedUsage: 0,
  ...fields,
});

/** One that waits. */
export const aJob = (facts: Partial<Job> = {}): Job => ({
  id: newJobId(),
  client: "c_1",
  clientName: "john",
  service: "whisper",
  state: "queued",
  method: "POST",
  path: "/api/whisper",
  requestId: "r",
  place: "p_1",
  hostname: "host",
  at: 1_000,
  wakeAt: 5_000,
  keepMs: 1_000,
  attempts: 0,
  requestBytes: 10,
  resultBytes: 0,
  storedBytes: 10,
  ...facts,
});
