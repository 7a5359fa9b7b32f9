import { AigwError } from "@aigw/core/errors";
import { defaultStoreUrl, masterKeyPath } from "@aigw/core/home";
import { locateStore, type OpenedStore, openStore, type StorePlace } from "@aigw/core/store";
import { copyStore, type PartName, type PartTally, type StoreCopy } from "@aigw/core/transfer";
import type { Command } from "commander";
import { UsageError } from "../../app/cli-error.ts";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { naming } from "../../app/flag.ts";
import { locateHome } from "../../app/home.ts";
import { interruptible } from "../../app/interruptible.ts";
import { whoRuns } from "../../app/who-runs.ts";
import { grouped } from "../../terminal/output/figures.ts";
import { renderTable } from "../../terminal/output/table.ts";
import { counted } from "../../terminal/output/words.ts";
import { prose } from "../../terminal/output/wrap.ts";

/** Store URLs; one of them may be absent: the store of the home, or AIGW_STORE. */
export interface CopyOptions {
  readonly from?: string;
  readonly to?: string;
}

export const command = (ctx: Context): Command =>
  describe("copy", "Copy a whole store to a place where none is, and compare both. The source is only read.", [
    ["aigw store copy --to sqlite:/srv/aigw/aigw.db", "the home's store"],
    ["aigw store copy --from sqlite:/old/aigw.db --to sqlite:/new/aigw.db", "any other"],
    ["AIGW_STORE=mongodb://… aigw store copy --from sqlite:/old/aigw.db", "with its password in no list of processes"],
  ])
    .option("--from <url>", "what is copied; else --store, AIGW_STORE or the file in the home")
    .option("--to <url>", "where it goes, and where nothing may be yet; else the same, with --from given")
    .action((options: CopyOptions) => run(options, ctx));

export const run = async (options: CopyOptions, ctx: Context): Promise<void> => {
  const { from, to } = await placesOf(options, ctx);
  const store = await openStore(from.location.url, { clock: ctx.clock });
  try {
    await warnOfGateways(ctx, store);
    const copy = await interruptible(ctx, (signal) =>
      copyStore(store, to, { clock: ctx.clock, signal, onRecords: progress(ctx) }),
    );
    await answer(ctx, from, to, copy);
  } finally {
    await store.close();
  }
};

const placesOf = async (
  { from, to }: CopyOptions,
  ctx: Context,
): Promise<{ readonly from: StorePlace; readonly to: StorePlace }> => {
  if (from === undefined && to === undefined)
    throw new UsageError("Say where it is to go: aigw store copy --to <url>, such as sqlite:/srv/aigw/aigw.db");
  const { home, storeUrl } = locateHome(ctx);
  const own = storeUrl ?? defaultStoreUrl(home);
  return { from: await placeOf("--from", from ?? own), to: await placeOf("--to", to ?? own) };
};

/** A URL that is not valid names where it came from. */
const placeOf = async (flag: string, url: string): Promise<StorePlace> => {
  try {
    return await locateStore(url);
  } catch (error) {
    if (!(error instanceof AigwError) || error.code !== "invalid_value") throw error;
    return naming(flag, () => {
      throw error;
    });
  }
};

/** What they record from now on is in the source alone. */
const warnOfGateways = async (ctx: Context, { traffic }: OpenedStore): Promise<void> => {
  const { gateways } = await whoRuns(traffic);
  if (gateways.length === 0) return;
  await ctx.out.warn(
    `${counted(gateways.length, "gateway")} ${gateways.length === 1 ? "runs" : "run"} on the store that is copied: what comes to it from now on is not in the copy. To move, stop them first.`,
  );
};

const PROGRESS_MS = 2_000;

const progress = (ctx: Context): ((part: PartName, records: number) => void) => {
  let toldAt = performance.now();
  return (part, records) => {
    const now = performance.now();
    if (now - toldAt < PROGRESS_MS) return;
    toldAt = now;
    void ctx.out.note(`${grouped(records)} ${NAMES[part]} copied so far …`);
  };
};

const NAMES: Readonly<Record<PartName, string>> = {
  changes: "changes",
  usage: "usage events",
  hours: "sums by hour",
  days: "sums by day",
  lastCalls: "last calls",
  permits: "permits in force",
  quotas: "counts of quotas",
  tokens: "tokens alive",
};

const answer = async (ctx: Context, from: StorePlace, to: StorePlace, { facts, parts }: StoreCopy): Promise<void> => {
  const key = ctx.env["AIGW_MASTER_KEY"] ? null : masterKeyPath(locateHome(ctx).home);
  await ctx.out.answer({
    json: () => ({
      copy: { from: from.location.shown, to: to.location.shown, storeId: facts.storeId, parts },
      masterKey: { included: false, file: key },
    }),
    quiet: () => to.location.shown,
    text: async (view) => {
      const table = await renderTable(view, COLUMNS, parts.map(row));
      return `${table}\n\n${prose(view, `${to.location.shown} is a copy of ${from.location.shown}: read again, counted and digested, and the same.`)}`;
    },
  });
  if (ctx.out.mode === "json") return;
  await ctx.out.note(
    `It opens with the same master key, which is not in it. Gateways and commands use it with ${keyword(to)} set; then: aigw doctor, aigw serve`,
  );
};

/** Without credentials, so for another engine it is not the whole URL. */
const keyword = ({ location }: StorePlace): string =>
  location.path === undefined ? "AIGW_STORE" : `AIGW_STORE=${location.url}`;

const COLUMNS = [{ title: "What" }, { title: "Records", align: "right" }, { title: "SHA-256", key: true }] as const;

const row = ({ part, records, sha256 }: PartTally): readonly string[] => [
  NAMES[part],
  grouped(records),
  sha256.slice(0, 16),
];
