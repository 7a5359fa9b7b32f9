// Opens the store `argv[2]`, reads it and writes to it; prints the code each step ended with. For other users' eyes.
import { argv } from "node:process";
import { systemClock } from "../../src/clock.ts";
import { isAigwError } from "../../src/errors.ts";
import { openStore } from "../../src/store/open-store.ts";
import { anEvent } from "../../src/testing/index.ts";

const [, , url = ""] = argv;
const codes: Record<string, string> = {};
const step = async <T>(name: string, work: () => T | Promise<T>): Promise<T | undefined> => {
  try {
    const result = await work();
    codes[name] = "ok";
    return result;
  } catch (error) {
    codes[name] = isAigwError(error) ? error.code : String(error);
    return undefined;
  }
};
const store = await step("open", () => openStore(url, { clock: systemClock, busyTimeoutMs: 0 }));
if (store !== undefined) {
  await step("read", () => store.control.snapshot());
  await step("append", async () =>
    store.control.append(await store.control.head(), [{ action: "config.set", subject: "sender-name", after: "x" }], {
      at: 1,
      actor: "test",
    }),
  );
  await step("usage", () => store.traffic.recordUsage([anEvent()]));
  await store.close();
}
process.stdout.write(JSON.stringify(codes));
