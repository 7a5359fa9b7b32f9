import type { BackupFacts } from "@aigw/core";
import { rfc3339 } from "../terminal/output/time.ts";

export interface BackupJson {
  readonly file: string;
  readonly createdAt: string;
  readonly storeId: string;
  readonly revision: number;
  readonly clients: number;
  readonly services: number;
  readonly usageEvents: number;
  readonly bytes: number;
}

export const backupJson = (file: string, facts: BackupFacts): BackupJson => ({
  file,
  createdAt: rfc3339(facts.createdAt),
  storeId: facts.storeId,
  revision: facts.revision,
  clients: facts.clients,
  services: facts.services,
  usageEvents: facts.usageEvents,
  bytes: facts.bytes,
});
