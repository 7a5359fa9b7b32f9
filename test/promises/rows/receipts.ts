import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { aigw, type Finished, startGatewayProcess, temporaryHome } from "../../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../../support/http.ts";
import { lockDatabase } from "../../support/lock.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { startWorkers } from "../../support/workers.ts";
import { atMost, exactly, never, quantile, type Row, type Run, type Seen } from "../row.ts";

/** How long the usage database is held, longer than a gateway's lease of 10 s. */
const LOCK_MS = 15_000;
const REVOKED_WITHIN_MS = 1_000;
/** And a moment. */
const LEASE_MS = 11_000;

interface ReceiptJson {
  readonly receipt: {
    readonly complete: boolean;
    readonly gateways: readonly { readonly appliedAfterMs: number | null }[];
  };
}

interface Answers {
  readonly status: Finished;
  readonly revoke: Finished;
  readonly rotate: Finished;
  readonly doctor: Finished;
}

/** Two gateways, one of them of two workers, and a client for each round. */
const setUp = async (run: Run, clients: readonly string[]) => {
  const echo = await startEcho(run);
  const { home, passwords } = await prepareHome(run, {
    home: temporaryHome(run),
    services: { echo: echo.url },
    clients: Object.fromEntries(clients.map((name) => [name, UNLIMITED])),
  });
  const [single, workers] = [await startGatewayProcess(run, home), await startWorkers(run, home, 2)];
  const pids = [single.pid, ...workers.workers.map(({ pid }) => pid)];
  const urls = [single.url, workers.url, workers.url];
  const served = async (token: string): Promise<number> => {
    const answers = await Promise.all(urls.map((url) => send(`${url}/api/echo`, { headers: bearer(token) })));
    return answers.filter(({ status }) => status === 200).length;
  };
  const token = (name: string): Promise<string> => tokenFor(single.url, name, passwords[name] ?? "");
  const ask = async (name: string): Promise<Answers> => ({
    status: await aigw(home, ["status", "--json"]),
    revoke: await aigw(home, ["client", "revoke", name, "--yes", "--json"]),
    rotate: await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes", "--json"]),
    doctor: await aigw(home, ["doctor", "--json"]),
  });
  return { home, pids, primary: workers.pid, served, token, ask };
};

/** Told as if nobody ran, or as if all had confirmed: what a false receipt looks like, each command by itself. */
const saysNobody = ({ status, revoke, rotate, doctor }: Answers): readonly boolean[] => [
  (JSON.parse(status.stdout) as { gateways: unknown[] }).gateways.length === 0,
  (JSON.parse(revoke.stdout) as ReceiptJson).receipt?.gateways.length === 0,
  rotate.stdout !== "" && (JSON.parse(rotate.stdout) as ReceiptJson).receipt?.gateways.length === 0,
  doctor.stdout.includes('"gateway_none"'),
];

export const receipts: Row = {
  name: "receipts",
  promise:
    "The usage database locked for 15 s, then all gateways suspended for 15 s, then killed: no command says that nobody runs while somebody does, and no key signs that nobody confirmed",
  minutes: 4,
  run: async (run) => {
    const rounds = run.size(20, 2);
    const names = Array.from({ length: rounds }, (_, round) => `c${round}`);
    const { home, pids, primary, served, token, ask } = await setUp(run, [...names, "locked", "held", "killed"]);
    const seen: Seen[] = [];

    const applied: number[] = [];
    let after = 0;
    for (const name of names) {
      const live = await token(name);
      const { stdout } = await aigw(home, ["client", "revoke", name, "--yes", "--json"]);
      after += await served(live);
      for (const { appliedAfterMs } of (JSON.parse(stdout) as ReceiptJson).receipt.gateways)
        applied.push(appliedAfterMs ?? Number.POSITIVE_INFINITY);
    }
    run.say(`applied after: ${applied.join(" ")} ms`);
    seen.push(
      atMost("in health: applied by each gateway, median", quantile(applied, 0.5), 100, "ms"),
      atMost("in health: applied by each gateway, the slowest", Math.max(...applied), REVOKED_WITHIN_MS, "ms"),
      never("in health: calls served after the receipt", after, rounds * pids.length),
    );

    const live = await token("locked");
    const release = await lockDatabase(run, join(home, "aigw.usage.db"));
    await delay(LOCK_MS);
    const locked = await ask("locked");
    const codes = [locked.status, locked.revoke, locked.rotate].map(({ code }) => code);
    run.say(`locked: status, revoke, rotate exit ${codes.join(", ")}; doctor ${locked.doctor.code}`);
    const { receipt } = JSON.parse(locked.revoke.stdout) as ReceiptJson;
    seen.push(
      never("locked: commands that say that nobody runs", saysNobody(locked).filter(Boolean).length, 4),
      exactly(
        "locked: gateways in the receipt that confirmed",
        receipt.gateways.filter(({ appliedAfterMs }) => appliedAfterMs !== null).length,
        pids.length,
      ),
      never("locked: status, revoke, rotate that do not exit 0", codes.filter((code) => code !== 0).length, 3),
      never("locked: calls served after the receipt", await served(live), pids.length),
    );
    // Signed by the new key, if it was rotated: known to all of them, and at once.
    seen.push(
      exactly("locked: gateways that take a new token at once", await served(await token("held")), pids.length),
    );
    await release();

    const before = await aigw(home, ["secret", "list", "--json"]);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    run.after(() => {
      for (const pid of pids) tryTo(() => process.kill(pid, "SIGCONT"));
    });
    await delay(LOCK_MS);
    const held = await ask("held");
    const silent = [held.status, held.revoke, held.rotate].map(({ code }) => code);
    run.say(`suspended: status, revoke, rotate exit ${silent.join(", ")}; doctor ${held.doctor.code}`);
    const activeOf = ({ stdout }: Finished): string =>
      (JSON.parse(stdout) as { keys: { id: string; status: string }[] }).keys.find(({ status }) => status === "active")
        ?.id ?? "";
    seen.push(
      never("suspended: commands that say that nobody runs", saysNobody(held).filter(Boolean).length, 4),
      exactly("suspended: status, revoke, rotate that exit 1", silent.filter((code) => code === 1).length, 3),
      exactly("suspended: gateways that doctor names", held.doctor.stdout.split('"gateway_unconfirmed"').length - 1, 3),
      never(
        "suspended: keys that sign unconfirmed",
        activeOf(before) === activeOf(await aigw(home, ["secret", "list", "--json"])) ? 0 : 1,
        1,
      ),
    );

    for (const pid of [primary, ...pids]) process.kill(pid, "SIGKILL");
    await delay(LEASE_MS);
    const killed = await ask("killed");
    const gone = [killed.status, killed.revoke, killed.rotate].map(({ code }) => code);
    run.say(`killed: status, revoke, rotate exit ${gone.join(", ")}; doctor ${killed.doctor.code}`);
    seen.push(
      exactly("killed, 11 s ago: commands that say that nobody runs", saysNobody(killed).filter(Boolean).length, 4),
      never("killed, 11 s ago: status, revoke, rotate that do not exit 0", gone.filter((code) => code !== 0).length, 3),
    );
    return seen;
  },
};

const tryTo = (work: () => unknown): void => {
  try {
    work();
  } catch {
    // It has ended.
  }
};
