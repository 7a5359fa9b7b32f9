import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { addClient, openHome, systemClock, type UsageEvent } from "@aigw/core";

/** A process that writes all the time: `backup-writer.ts <home> <prefix>`. Says what is stored, a line each. */
const [home = "", prefix = ""] = process.argv.slice(2);
const { store, sealer } = await openHome({ home, clock: systemClock });
const deps = { store, sealer, clock: systemClock, actor: prefix };

const eventOf = (client: string): UsageEvent => ({
  id: randomUUID(),
  at: Date.now(),
  client,
  service: "ocr",
  method: "GET",
  path: "/",
  status: 200,
  latencyMs: 1,
  bytesIn: 0,
  bytesOut: 0,
  requestId: randomUUID(),
  outcome: "ok",
});

for (let round = 0; ; round += 1) {
  const name = `${prefix}-${round}`;
  await addClient(deps, { name, password: `Kestrel-${prefix}-${round}-Lantern!` });
  process.stdout.write(`client ${name}\n`);
  for (let batch = 0; batch < 20; batch += 1) {
    const events = Array.from({ length: 10 }, () => eventOf(name));
    await store.traffic.recordUsage(events);
    process.stdout.write(`${events.map(({ id }) => `usage ${id}`).join("\n")}\n`);
    await delay(1);
  }
}
