import { grouped } from "../../terminal/output/figures.ts";
import { standingCell } from "../../terminal/output/standing.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";
import { counted } from "../../terminal/output/words.ts";
import { type ListedClient, STANDINGS, type Totals } from "./listed-clients.ts";

/** Empty when there is nobody. */
export const clientTable = async (view: View, clients: readonly ListedClient[]): Promise<string> =>
  clients.length === 0
    ? ""
    : renderTable(
        view,
        COLUMNS,
        clients.map((one) => row(view, one)),
      );

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Status" },
  { title: "Last call" },
  { title: "Limit", align: "right" },
  { title: "Expires" },
  { title: "Services" },
  { title: "Plan" },
  { title: "Created" },
  { title: "E-mail" },
];

const row = (view: View, { client, terms, standing, lastCallAt }: ListedClient): readonly Cell[] => [
  client.name,
  standingCell(standing),
  lastCallAt === null ? "" : lastCallAt === undefined ? "never" : when(view, lastCallAt),
  String(terms?.limit ?? ""),
  client.expiresAt === undefined ? "never" : when(view, client.expiresAt),
  terms?.services?.join(",") ?? "all",
  client.plan ?? "",
  when(view, client.createdAt),
  client.email ?? "",
];

/** @param shown of those that are summed up @param all there are */
export const sumInWords = ({ clients, ...standings }: Totals, shown: number, all: number): string => {
  if (all === 0) return "There is no client yet. Add one: aigw client add <name>";
  if (clients === 0) return `None of ${counted(all, "client")} matches.`;
  const parts = STANDINGS.flatMap((status) =>
    standings[status] > 0 ? [`${grouped(standings[status])} ${status}`] : [],
  );
  const which = clients === all ? counted(all, "client") : `${grouped(clients)} of ${counted(all, "client")}`;
  return `${which}: ${parts.join(", ")}.${shown < clients ? ` The first ${grouped(shown)} are shown.` : ""}`;
};
