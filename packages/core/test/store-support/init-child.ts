// Initialises the homes `<argv[3]>-0` to `<argv[3]>-<argv[2] - 1>` and opens each; prints what came of it.
import { argv, stdout } from "node:process";
import { systemClock } from "../../src/clock.ts";
import { initHome, openHome } from "../../src/home/index.ts";
import { startingGun } from "./children.ts";

const [, , rounds = "0", base = ""] = argv;
await startingGun();
for (let round = 0; round < Number(rounds); round += 1) {
  const home = `${base}-${round}`;
  const { created } = await initHome({ home, at: Date.now(), actor: "test" });
  const { store } = await openHome({ home, clock: systemClock, busyTimeoutMs: 20_000 });
  stdout.write(`${round} ${created} ${store.control.storeId} ${await store.control.head()}\n`);
  await store.close();
}
