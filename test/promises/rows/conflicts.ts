import { runTwentyCommands } from "../../support/twenty-commands.ts";
import { exactly, never, type Row } from "../row.ts";

export const conflicts: Row = {
  name: "conflicts",
  promise:
    "20 command lines at once, 20 times: exactly one active key, each command done with its record or a conflict, no lost update",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const rounds = run.size(20, 1);
    const broken: string[] = [];
    let commands = 0;
    let conflicted = 0;
    for (let round = 0; round < rounds; round += 1) {
      // Its gateways must not run beside those of the next one.
      const cleanUps: (() => unknown)[] = [];
      try {
        const seen = await runTwentyCommands({ after: (cleanUp: () => unknown) => cleanUps.push(cleanUp) });
        commands += seen.commands;
        conflicted += seen.conflicts;
      } catch (error) {
        broken.push(String(error));
      } finally {
        for (const cleanUp of cleanUps.toReversed()) await cleanUp();
      }
    }
    for (const line of broken) run.say(line);
    run.say(`${conflicted} conflicts reported`);
    return [
      never("rounds in which anything was lost, doubled or unrecorded", broken.length, rounds),
      exactly("commands run", commands, 20 * rounds),
    ];
  },
};
