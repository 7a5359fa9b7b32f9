import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { systemClock } from "../packages/core/src/clock.ts";
import { createStore, type OpenedStore, openStore } from "../packages/core/src/store/index.ts";
import { anEvent, anInstance } from "../packages/core/src/testing/index.ts";
import { SEED } from "../packages/core/test/store-support/sqlite-fixture.ts";
import { mongodUri, startMongod, startReplicaSet } from "../test/support/mongod.ts";

/**
 * What many gateways ask of MongoDB while nobody calls them, and while each records usage:
 * `node bench/mongodb-gateways.ts --mongod <path of mongod>`. They are made up: their questions are real, at the pace at
 * which a gateway asks them, over the connections of a few. Figures are for each number of gateways: what was asked for
 * and answered in a second, how long an answer took, and the servers' processor time.
 */
const { values } = parseArgs({
  options: {
    mongod: { type: "string", default: "mongod" },
    gateways: { type: "string", default: "10,100,300,1000" },
    seconds: { type: "string", default: "10" },
  },
});
const SECONDS = Number(values.seconds);
const HANDLES = 8;
/** As in packages/runtime: the log's head, the gateway's own report, a look at the others, a batch of usage. */
const PACES = { head: 200, report: 1_000, others: 1_000, usage: 1_000 } as const;
type Question = keyof typeof PACES;

/** A look at the others reads a record of each: many look less often. */
const paceOf = (question: Question, gateways: number): number =>
  question === "others" ? Math.max(PACES.others, gateways * 50) : PACES[question];

const cpuSeconds = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);

const quantile = (all: readonly number[], q: number): string =>
  (all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * q))] ?? Number.NaN).toFixed(1);

const ask = async (store: OpenedStore, question: Question, gateway: number): Promise<void> => {
  if (question === "head") await store.control.head();
  else if (question === "report") await store.traffic.reportInstance(anInstance({ id: `gw-${gateway}` }));
  else if (question === "others") await store.traffic.instances(10_000);
  else await store.traffic.recordUsage([anEvent(), anEvent()]);
};

const measure = async (what: string, url: string, pids: readonly number[]): Promise<void> => {
  await createStore(url, SEED);
  const stores = await Promise.all(Array.from({ length: HANDLES }, () => openStore(url, { clock: systemClock })));
  for (const gateways of values.gateways.split(",").map(Number)) {
    for (const questions of [
      ["head", "report", "others"],
      ["head", "report", "others", "usage"],
    ] as const) {
      const took = new Map<Question, number[]>(questions.map((question) => [question, []]));
      let failed = 0;
      const end = performance.now() + SECONDS * 1_000;
      const [cpu, own] = [cpuSeconds(pids), process.cpuUsage()];
      await Promise.all(
        Array.from({ length: gateways }, (_, gateway) =>
          questions.map(async (question) => {
            const pace = paceOf(question, gateways);
            await delay(Math.random() * pace);
            while (performance.now() < end) {
              const from = performance.now();
              try {
                await ask(stores[gateway % HANDLES] as OpenedStore, question, gateway);
                took.get(question)?.push(performance.now() - from);
              } catch {
                failed += 1;
              }
              await delay(Math.max(0, pace - (performance.now() - from)));
            }
          }),
        ).flat(),
      );
      const asked = questions.reduce((sum, question) => sum + (gateways * 1_000) / paceOf(question, gateways), 0);
      const answered = [...took.values()].reduce((sum, all) => sum + all.length, 0) / SECONDS;
      const [servers, client] = [cpuSeconds(pids) - cpu, process.cpuUsage(own)];
      const times = questions.map((question) => {
        const all = took.get(question) ?? [];
        return `${question} ${quantile(all, 0.5)}/${quantile(all, 0.99)}`;
      });
      process.stdout.write(
        `${what}, ${gateways} gateways${questions.length > 3 ? " with usage" : ""}: ${answered.toFixed(0)} of ${asked} answers/s, ${failed} failed; ms p50/p99: ${times.join(", ")}; processor: servers ${((100 * servers) / SECONDS).toFixed(0)} %, these gateways ${((client.user + client.system) / 1e4 / SECONDS).toFixed(0)} %\n`,
      );
    }
  }
  for (const store of stores) await store.close();
};

const one = await startMongod(values.mongod);
await measure("one server", mongodUri(one.port, "bench"), [one.process.pid ?? 0]);
await one.stop();
const set = await startReplicaSet(values.mongod);
await measure(
  "a set of three",
  set.uri("bench"),
  set.members.map(({ process: { pid } }) => pid ?? 0),
);
await set.stop();
process.exit(0);
