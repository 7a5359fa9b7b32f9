import type { Row } from "./row.ts";
import { clientsGone } from "./rows/clients-gone.ts";
import { clock } from "./rows/clock.ts";
import { conflicts } from "./rows/conflicts.ts";
import { drain } from "./rows/drain.ts";
import { endings } from "./rows/endings.ts";
import { fairQueue } from "./rows/fair-queue.ts";
import { floods } from "./rows/floods.ts";
import { forged } from "./rows/forged.ts";
import { grace } from "./rows/grace.ts";
import { guessing } from "./rows/guessing.ts";
import { injected } from "./rows/injected.ts";
import { commandKills, gatewayKills } from "./rows/kills.ts";
import { limit } from "./rows/limit.ts";
import { manySources } from "./rows/many-sources.ts";
import { mutated } from "./rows/mutated.ts";
import { neighbours } from "./rows/neighbours.ts";
import { nonReadersRow } from "./rows/non-readers.ts";
import { primaryFreezes, primaryKills, stepDowns } from "./rows/primary-faults.ts";
import { receipts } from "./rows/receipts.ts";
import { secrets } from "./rows/secrets.ts";
import { slowClients } from "./rows/slow-clients.ts";
import { allAway, cutOff, goneGateway } from "./rows/store-away.ts";
import { supplyChain } from "./rows/supply-chain.ts";
import { upstreamFaults } from "./rows/upstream-faults.ts";
import { whoExists } from "./rows/who-exists.ts";
import { withoutARight } from "./rows/without-a-right.ts";

/** In the order of the report. */
export const ROWS: readonly Row[] = [
  endings,
  receipts,
  grace,
  conflicts,
  limit,
  fairQueue,
  stepDowns,
  primaryKills,
  primaryFreezes,
  cutOff,
  allAway,
  goneGateway,
  gatewayKills,
  commandKills,
  injected,
  drain,
  clock,
  forged,
  mutated,
  guessing,
  manySources,
  floods,
  whoExists,
  upstreamFaults,
  neighbours,
  clientsGone,
  slowClients,
  nonReadersRow,
  withoutARight,
  secrets,
  supplyChain,
];
