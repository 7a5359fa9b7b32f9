// Appends settings to the store `argv[2]`, `argv[4]` of them, retrying conflicts; prints each acknowledged one.
import { writeSync } from "node:fs";
import { argv } from "node:process";
import { systemClock } from "../../src/clock.ts";
import { isAigwError } from "../../src/errors.ts";
import { openStore } from "../../src/store/open-store.ts";
import { aClient } from "../../src/testing/index.ts";
import { startingGun } from "./children.ts";

const [, , url = "", who = "", count = "0"] = argv;
await startingGun();
const store = await openStore(url, { clock: systemClock, busyTimeoutMs: 20_000 });
for (let done = 0; done < Number(count); ) {
  const name = `${who}-${done}`;
  const client = aClient({ id: `c_${name}`, name });
  try {
    const change = await store.control.append(
      await store.control.head(),
      [{ action: "client.add", subject: name, after: client }],
      { at: Date.now(), actor: who },
    );
    // Synchronously: what was printed before a kill was acknowledged.
    writeSync(1, `${change.rev} ${name}\n`);
    done += 1;
  } catch (error) {
    if (!isAigwError(error, "changed_meanwhile")) throw error;
  }
}
await store.close();
