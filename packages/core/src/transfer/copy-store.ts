import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { AigwError } from "../errors.ts";
import type { OpenedStore } from "../store/engine.ts";
import type { StorePlace } from "../store/engines.ts";
import type { PartName, StoreExport, StoreFacts } from "./parts.ts";
import { type PartTally, TalliedExport, tallyOf } from "./tally.ts";

export interface CopyOptions {
  readonly clock: Clock;
  readonly onRecords?: (part: PartName, records: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface StoreCopy {
  readonly facts: StoreFacts;
  /** The same of both stores: they were compared. */
  readonly parts: readonly PartTally[];
}

/**
 * Copies a whole store to a place where none is, of the same engine or another. The source is only read. The copy counts
 * as a store once everything is there and was found to be the same; whatever ends the copying before leaves none, and it
 * can be begun anew.
 * @throws AigwError `already_exists`, `store_*`
 */
export const copyStore = async (from: OpenedStore, to: StorePlace, options: CopyOptions): Promise<StoreCopy> => {
  if (from.exportAll === undefined || to.engine.importAll === undefined) {
    const engine = from.exportAll === undefined ? "the source's" : `a ${to.location.engine}`;
    throw new AigwError("store_unsupported", `This build cannot copy ${engine} store. Use a newer aigw.`);
  }
  const source = new TalliedExport(await from.exportAll(), options.onRecords);
  try {
    let parts: readonly PartTally[] = [];
    await to.engine.importAll(to.location, source, {
      clock: options.clock,
      steadyNow: () => from.traffic.steadyNow(),
      signal: options.signal,
      verify: async (imported) => {
        parts = await assertSame(source, imported, options.signal);
      },
    });
    return { facts: source.facts, parts };
  } finally {
    await source.close();
  }
};

const assertSame = async (
  source: TalliedExport,
  imported: StoreExport,
  signal: AbortSignal | undefined,
): Promise<readonly PartTally[]> => {
  const { tallies } = source;
  const found = await tallyOf(imported, signal);
  for (const [index, expected] of tallies.entries()) {
    if (isDeepStrictEqual(found[index], expected)) continue;
    throw differs(`${expected.part}: ${expected.records} records became ${found[index]?.records ?? 0} that differ`);
  }
  if (!isDeepStrictEqual(imported.facts, source.facts))
    throw differs("its identity, or how far its usage is summed up");
  return tallies;
};

const differs = (what: string): AigwError =>
  new AigwError("store_corrupt", `The copy is not what was copied (${what}). Nothing of it was kept. Try again.`);
