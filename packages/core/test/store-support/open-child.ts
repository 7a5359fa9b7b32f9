// Opens the store `argv[2]`, closes it, and prints whether MongoDB's driver was loaded. Nothing ends it but itself.
import { createRequire } from "node:module";
import { argv, stdout } from "node:process";
import { systemClock } from "../../src/clock.ts";
import { openStore } from "../../src/store/open-store.ts";

const store = await openStore(argv[2] ?? "", { clock: systemClock });
await store.control.head();
await store.close();
const loaded = Object.keys(createRequire(import.meta.url).cache);
stdout.write(loaded.some((path) => path.includes("/mongodb/lib/")) ? "driver" : "no driver");
