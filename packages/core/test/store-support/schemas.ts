import type { Schema } from "../../src/store/sqlite/files/migrations.ts";

/** A schema of so many steps, each of which leaves a trace that it cannot leave twice unnoticed. */
export const manySteps = (count: number): Schema => ({
  name: "test",
  applicationId: 0x74_65_73_74,
  pragmas: ["synchronous = NORMAL"],
  steps: Array.from({ length: count }, (_, index) =>
    index === 0 ? "CREATE TABLE taken (step INTEGER) STRICT" : `INSERT INTO taken VALUES (${index})`,
  ),
});
