import type { Row } from "./row.ts";
import { clientsGone } from "./rows/clients-gone.ts";
import { forged } from "./rows/forged.ts";
import { grace } from "./rows/grace.ts";
import { commandKills, gatewayKills } from "./rows/kills.ts";
import { slowClients } from "./rows/slow-clients.ts";
import { supplyChain } from "./rows/supply-chain.ts";
import { whoExists } from "./rows/who-exists.ts";

/** In the order of the report. */
export const ROWS: readonly Row[] = [
  grace,
  gatewayKills,
  commandKills,
  forged,
  whoExists,
  clientsGone,
  slowClients,
  supplyChain,
];
