import { triedClient } from "./trial-name.ts";
import { sumTallies, type UsageReportQuery, type UsageRow, type UsageTally } from "./usage-report.ts";

/** What a client used of one service, by one model of it. */
export interface BillLine {
  readonly service: string;
  /** Empty without one. */
  readonly model: string;
  readonly tally: UsageTally;
}

export interface Bill {
  readonly client: string;
  /** By service and model. */
  readonly lines: readonly BillLine[];
  readonly total: UsageTally;
}

/** The report that {@link billsOf} is made of. */
export const BILL_KEYS: UsageReportQuery["by"] = ["client", "service", "model"];

/**
 * A bill for each client that was let through to a service, by name. Calls that were refused are no use, nor are those
 * by which a quick start was tried.
 */
export const billsOf = (rows: readonly UsageRow[]): readonly Bill[] => {
  const used = rows
    .map(({ key: [client, service, model], tally }) => ({
      ...{ client: String(client), service: String(service), model: String(model), tally },
    }))
    .filter(({ client, tally }) => triedClient(client) === undefined && isUse(tally))
    .toSorted((one, other) => order(one.service, other.service) || order(one.model, other.model));
  return [...Map.groupBy(used, ({ client }) => client)]
    .map(([client, lines]) => ({
      client,
      lines: lines.map(({ service, model, tally }) => ({ service, model, tally })),
      total: sumTallies(lines.map(({ tally }) => tally)),
    }))
    .toSorted((one, other) => order(one.client, other.client));
};

const isUse = ({ timed, priced }: UsageTally): boolean => timed > 0 || priced > 0;

const order = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
