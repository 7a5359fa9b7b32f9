import type { Row } from "./row.ts";
import { grace } from "./rows/grace.ts";
import { supplyChain } from "./rows/supply-chain.ts";
import { whoExists } from "./rows/who-exists.ts";

/** In the order of the report. */
export const ROWS: readonly Row[] = [grace, whoExists, supplyChain];
