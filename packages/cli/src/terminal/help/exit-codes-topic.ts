import { EXIT_CODES, EXIT_MEANINGS } from "../../app/exit-codes.ts";
import { renderTable } from "../output/table.ts";
import type { Topic } from "./topic.ts";

export const exitCodesTopic: Topic = {
  about: "what the exit codes mean",
  answer: () => {
    const rows = Object.entries(EXIT_MEANINGS).map(([exitCode, meaning]) => ({
      exitCode: Number(exitCode),
      meaning,
      codes: Object.entries(EXIT_CODES).flatMap(([code, exit]) => (exit === Number(exitCode) ? [code] : [])),
    }));
    return {
      json: () => ({ exitCodes: rows }),
      quiet: () => rows.map(({ exitCode }) => String(exitCode)),
      text: (view) =>
        renderTable(
          view,
          [{ title: "Exit code", align: "right" }, { title: "Meaning" }, { title: "Error codes (--json)" }],
          rows.map(({ exitCode, meaning, codes }) => [String(exitCode), meaning, codes.join(", ")]),
        ),
    };
  },
};
