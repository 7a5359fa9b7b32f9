import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Store } from "@aigw/core";
import { anInstance } from "@aigw/core/testing";
import { aigw, json, jsonError, opened, temporaryHome } from "./support/harness.ts";

interface ReceiptJson {
  readonly rev: number;
  readonly gateways: readonly {
    readonly id: string;
    readonly address: string;
    readonly appliedAfterMs: number | null;
  }[];
  readonly complete: boolean;
}

const prepared = async (t: TestContext): Promise<{ home: string; store: Store }> => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  await aigw(home, ["service", "add", "ocr", "http://127.0.0.1:1"]);
  return { home, store: (await opened(t, home)).store };
};

/** A gateway that reports what it applied, as the real one does. */
const follow = (t: TestContext, store: Store, id: string, applies = true): void => {
  const report = async (): Promise<void> => {
    const appliedRev = applies ? await store.control.head() : 0;
    await store.traffic.reportInstance(anInstance({ id, address: `http://127.0.0.1/${id}`, appliedRev }));
  };
  void report();
  const timer = setInterval(() => void report(), 20);
  t.after(() => clearInterval(timer));
};

test("every verb that changes what is in force says who applied it", async (t) => {
  const { home, store } = await prepared(t);
  follow(t, store, "g1");
  follow(t, store, "g2");
  const proof = /\. 2 of 2 gateways applied it \(slowest \d+ ms\)\.\n$/;
  for (const argv of [
    ["client", "revoke", "john"],
    ["client", "restore", "john"],
    ["client", "set", "john", "--limit", "5"],
    ["service", "set", "ocr", "--timeout", "5s"],
    ["service", "add", "chat", "http://127.0.0.1:2"],
    ["service", "remove", "chat"],
    ["secret", "rotate"],
    ["secret", "rotate", "--grace", "1m"],
    ["client", "remove", "john"],
  ]) {
    const result = await aigw(home, [...argv, "--yes"]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, proof, argv.join(" "));
  }
  await aigw(home, ["client", "add", "mary"]);
  for (const argv of [
    ["client", "passwd", "mary"],
    ["onboard", "mary", "--create"],
  ]) {
    assert.match((await aigw(home, [...argv, "--yes"])).stderr, /2 of 2 gateways applied it/);
  }
  const { receipt } = json<{ receipt: ReceiptJson }>(await aigw(home, ["client", "revoke", "mary", "--yes", "--json"]));
  assert.deepEqual(Object.keys(receipt), ["rev", "gateways", "complete"]);
  assert.deepEqual(Object.keys(receipt.gateways[0] ?? {}), ["id", "address", "appliedAfterMs"]);
  assert.deepEqual([receipt.gateways.length, receipt.complete], [2, true]);
});

test("a gateway that does not answer is named: exit 1, and the change is made", async (t) => {
  const { home, store } = await prepared(t);
  follow(t, store, "g1");
  follow(t, store, "deaf", false);

  const text = await aigw(home, ["client", "revoke", "john", "--yes"]);
  assert.deepEqual([text.code, text.stdout], [1, ""]);
  assert.match(
    text.stderr,
    /error: john is revoked, but 1 of 2 gateways did not confirm it within 3 s: http:\/\/127\.0\.0\.1\/deaf \(deaf, /,
  );
  assert.equal(
    json<{ client: { status: string } }>(await aigw(home, ["client", "show", "john", "--json"])).client.status,
    "revoked",
  );

  const asJson = await aigw(home, ["client", "restore", "john", "--json"]);
  assert.equal(asJson.code, 1);
  assert.equal(jsonError(asJson).code, "not_applied");
  const { receipt } = json<{ receipt: ReceiptJson }>(asJson);
  assert.equal(receipt.complete, false);
  assert.equal(receipt.gateways.find(({ id }) => id === "deaf")?.appliedAfterMs, null);

  const passwd = await aigw(home, ["client", "passwd", "john", "--yes", "-q"]);
  assert.equal(passwd.code, 1);
  assert.match(passwd.stdout, /^\S{16,}\n$/);

  const started = performance.now();
  const hasty = await aigw(home, ["client", "revoke", "john", "--yes", "--no-wait"]);
  assert.equal(hasty.code, 0);
  assert.match(hasty.stdout, /john revoked\. The gateways were not waited for\./);
  assert.ok(performance.now() - started < 2_500);

  const rotation = await aigw(home, ["secret", "rotate", "--grace", "1m", "--yes"]);
  assert.equal(rotation.code, 1);
  assert.match(rotation.stderr, /The secret was not rotated: http:\/\/127\.0\.0\.1\/deaf/);
});

test("receipts that cannot be read do not undo the change, nor hide that it is unconfirmed", async (t) => {
  const home = temporaryHome(t);
  await aigw(home, ["client", "add", "john"]);
  await aigw(home, ["status"]);
  writeFileSync(join(home, "aigw.usage.db"), "no database".repeat(1000));
  const result = await aigw(home, ["client", "revoke", "john", "--yes"]);
  assert.deepEqual([result.code, result.stdout], [1, ""]);
  assert.match(result.stderr, /john is revoked, but whether the gateways applied it could not be confirmed/);
  assert.equal(
    json<{ client: { status: string } }>(await aigw(home, ["client", "show", "john", "--json"])).client.status,
    "revoked",
  );
  const rotated = await aigw(home, ["secret", "rotate", "--yes", "--json"]);
  assert.equal(rotated.code, 1);
  assert.match(json<{ key: { id: string } }>(rotated).key.id, /^k_/);
});

test("a rotation says first whom it hits", async (t) => {
  const { home, store } = await prepared(t);
  follow(t, store, "g1");
  const [client] = await store.control.clients();
  const [key] = await store.control.keyring();
  assert.ok(client && key);
  const issuedAt = Date.now();
  await store.traffic.recordTokens([
    { clientId: client.id, kid: key.kid, epoch: client.epoch, issuedAt, expiresAt: issuedAt + 3_600_000 },
  ]);
  const result = await aigw(home, ["secret", "rotate"], { terminal: 200, answers: [true] });
  assert.equal(result.code, 0);
  assert.match(
    result.stderr,
    /1 client holds a live token: john\. 1 gateway is running: http:\/\/127\.0\.0\.1\/g1\.[\s\S]*\? Rotate/,
  );
  const { clientsWithLiveTokens } = json<{ clientsWithLiveTokens: string[] }>(
    await aigw(home, ["secret", "rotate", "-y", "--json"]),
  );
  assert.deepEqual(clientsWithLiveTokens, []);
});

test("status shows the running gateways", async (t) => {
  const { home, store } = await prepared(t);
  follow(t, store, "g1");
  await aigw(home, ["client", "add", "gone", "--expires", "1d"]);
  await aigw(home, ["client", "revoke", "gone", "--yes"]);
  const status = json<{ revision: number; clients: unknown; services: number; gateways: Record<string, unknown>[] }>(
    await aigw(home, ["status", "--json"]),
  );
  assert.deepEqual([status.clients, status.services], [{ active: 1, total: 2 }, 1]);
  const [gateway] = status.gateways;
  for (const field of [
    "id",
    "address",
    "pid",
    "version",
    "startedAt",
    "state",
    "appliedRev",
    "requestsPerSecond",
    "droppedUsage",
  ]) {
    assert.ok(gateway && field in gateway, field);
  }
  assert.match(
    (await aigw(home, ["status"])).stdout,
    /Clients +1 active of 2\n[\s\S]*http:\/\/127\.0\.0\.1\/g1 +ready/,
  );
  assert.equal((await aigw(home, ["status", "-q"])).stdout, "http://127.0.0.1/g1\n");
});

test("Ctrl-C while it waits: 130, and it says that the change stands", async (t) => {
  const { home, store } = await prepared(t);
  follow(t, store, "deaf", false);
  const result = await aigw(home, ["client", "revoke", "john", "--yes"], {
    onStop: (listener) => {
      const timer = setImmediate(() => listener("SIGINT"));
      return () => clearImmediate(timer);
    },
  });
  assert.deepEqual([result.code, result.stdout], [130, ""]);
  assert.match(result.stderr, /john is revoked\. The gateways were not waited for any longer\./);
});
