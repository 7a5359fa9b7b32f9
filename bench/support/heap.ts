import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Gateway, startGateway, temporaryFolder } from "./home.ts";
import { until } from "./processes.ts";

export interface WeighedGateway extends Gateway {
  /**
   * What the process holds, bytes: the JavaScript heap and the buffers of it, after everything that is not used any more
   * was collected.
   */
  heapInUse(): Promise<number>;
}

const SPY = join(import.meta.dirname, "heap-spy.ts");

/** A gateway that can be asked for its heap. Its inspector is shut, as ever. */
export const startWeighed = async (home: string, args: readonly string[] = []): Promise<WeighedGateway> => {
  const file = join(temporaryFolder(), "heap");
  const flags = [`--import=${SPY}`, "--expose-gc"];
  const gateway = await startGateway(home, args, undefined, flags, { AIGW_HEAP: file });
  const heapInUse = async (): Promise<number> => {
    rmSync(file, { force: true });
    process.kill(gateway.pid, "SIGUSR2");
    return Number(await until("the heap", () => existsSync(file) && readFileSync(file, "utf8")));
  };
  return { ...gateway, heapInUse };
};
