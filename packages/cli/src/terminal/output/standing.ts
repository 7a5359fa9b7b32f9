import type { ClientStanding } from "@aigw/core";
import type { Tone } from "./style.ts";
import type { Cell } from "./table.ts";

const TONES: Readonly<Record<ClientStanding, Tone>> = { active: "green", revoked: "red", expired: "yellow" };

export const standingCell = (standing: ClientStanding): Cell => ({ text: standing, tone: TONES[standing] });
