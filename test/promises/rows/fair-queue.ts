import { addService, setService } from "@aigw/core";
import { startGatewayProcess } from "../../support/aigw.ts";
import { startHeldService } from "../../support/held-service.ts";
import { bearer, send, tokenFor } from "../../support/http.ts";
import { prepareHome, withHome } from "../../support/prepared-home.ts";
import { until } from "../../support/until.ts";
import { exactly, type Row } from "../row.ts";

const HOLD_MS = 100;

export const fairQueue: Row = {
  name: "fair-queue",
  promise:
    "A service that takes one call at once behind three gateways; one client with 1,000 calls waiting and one that comes now and then: the second waits for at most two calls; kill −9 of the gateway that has the slot frees it within 5 s; never more than one call at the service",
  minutes: 3,
  onMongodb: true,
  run: async (run) => {
    const service = await startHeldService(run, HOLD_MS);
    const { home, passwords } = await prepareHome(run, {
      services: { ocr: service.url },
      clients: { greedy: { limit: 1_000_000 }, light: { limit: 1_000_000 } },
    });
    await withHome(home, async ({ deps }) => {
      await setService(deps, "ocr", { queue: { concurrency: 1, most: 5_000, waitMs: 600_000 } });
    });
    const gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(run, home)));
    const urlOf = (index: number): string => gateways[index % gateways.length]?.url ?? "";
    const tokens = {
      greedy: await tokenFor(urlOf(0), "greedy", passwords["greedy"] ?? ""),
      light: await tokenFor(urlOf(1), "light", passwords["light"] ?? ""),
    };
    const call = (client: keyof typeof tokens, index: number): Promise<number> =>
      send(`${urlOf(index)}/api/ocr`, { headers: bearer(tokens[client]), timeoutMs: 600_000 }).then(
        ({ status }) => status,
        () => 0,
      );
    const many = run.size(1_000, 100);
    const greedy = Array.from({ length: many }, (_, index) => call("greedy", index));
    await service.came(5);
    const before: number[] = [];
    const waits: number[] = [];
    const lights = run.size(100, 10);
    for (let n = 0; n < lights; n += 1) {
      const [came, at] = [service.calls.length, performance.now()];
      await call("light", n);
      waits.push(performance.now() - at - HOLD_MS);
      before.push(service.calls.slice(came).findIndex(({ client }) => client === "light"));
    }
    run.say(`waits of the light client: ${Math.round(Math.max(...waits))} ms at most, each call takes ${HOLD_MS} ms`);
    const most = service.most();
    const statuses = await Promise.all(greedy);

    // The slot of a killed one: of three tries, at different moments of its lease.
    const back: number[] = [];
    const held = await startHeldService(run);
    await withHome(home, async ({ deps }) => {
      await addService(deps, { name: "held", url: held.url, queue: { concurrency: 1 } });
    });
    const tries = run.size(3, 1);
    for (let n = 0; n < tries; n += 1) {
      const doomed = await startGatewayProcess(run, home);
      const to = (url: string): Promise<number> =>
        send(`${url}/api/held`, { headers: bearer(tokens.light), timeoutMs: 60_000 }).then(
          ({ status }) => status,
          () => 0,
        );
      const lost = to(doomed.url);
      await held.came(2 * n + 1);
      const next = to(urlOf(n));
      await until(
        "some of its lease to pass",
        () => performance.now() - (held.calls[2 * n]?.at ?? 0) > 1_000 + 700 * n,
      );
      const killedAt = performance.now();
      doomed.child.kill("SIGKILL");
      await doomed.done;
      await held.came(2 * n + 2);
      back.push((held.calls[2 * n + 1]?.at ?? 0) - killedAt);
      held.calls[2 * n + 1]?.answer();
      await Promise.all([lost, next]);
    }
    return [
      exactly(
        `calls of the greedy client that were served, of ${many}`,
        statuses.filter((status) => status === 200).length,
        many,
      ),
      exactly("most calls at the service at once", most, 1),
      {
        what: `calls served before one of the light client, of ${lights}`,
        seen: String(Math.max(...before)),
        promised: "≤ 2",
        kept: Math.max(...before) <= 2 && Math.min(...before) >= 0,
      },
      {
        what: "a killed gateway's slot is back after",
        seen: `${back.map((ms) => `${(ms / 1_000).toFixed(1)} s`).join(", ")}`,
        promised: "≤ 5 s",
        kept: Math.max(...back) <= 5_000,
      },
      exactly("most calls at the service at once, with the kills", held.most(), 1),
    ];
  },
};
