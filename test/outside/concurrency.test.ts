import { describe, it } from "node:test";
import { rounds } from "../support/rounds.ts";
import { runTwentyCommands } from "../support/twenty-commands.ts";

describe("twenty commands at once", () => {
  for (let round = 0; round < rounds(1); round += 1) {
    it(`each is done with its record or reports a conflict; no update is lost (${round + 1})`, async (t) => {
      const { changes, conflicts } = await runTwentyCommands(t);
      t.diagnostic(`${changes} changes, ${conflicts} conflicts`);
    });
  }
});
