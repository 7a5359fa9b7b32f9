import type { SigningKey } from "@aigw/core";
import { keyTime } from "@aigw/core/acts";
import { onWallClock } from "@aigw/core/keys";
import type { Command } from "commander";
import { describe } from "../../app/command.ts";
import type { Context } from "../../app/context.ts";
import { keyJson, keyStatus } from "../../json/key.ts";
import type { Tone } from "../../terminal/output/style.ts";
import { type Cell, type Column, renderTable } from "../../terminal/output/table.ts";
import { when } from "../../terminal/output/time.ts";
import type { View } from "../../terminal/output/view.ts";

export const command = (ctx: Context): Command =>
  describe("list", "List the signing keys, newest first: their ids and where they stand, never a secret.", [
    ["aigw secret list", "a table"],
    ["aigw secret list --json | jq -r '.keys[] | select(.status == \"active\") | .id'", "the one that signs"],
  ]).action(() => run(ctx));

export const run = (ctx: Context): Promise<void> =>
  ctx.withHome("existing", async (home) => {
    const keys = onWallClock(await home.store.control.keyring(), keyTime(home)).toReversed();
    await ctx.out.answer({
      json: () => ({ keys: keys.map((key) => keyJson(key, ctx.clock.now())) }),
      quiet: () => keys.map((key) => key.kid),
      text: (view) =>
        renderTable(
          view,
          COLUMNS,
          keys.map((key) => row(view, key)),
        ),
    });
  });

const COLUMNS: readonly Column[] = [
  { title: "Key" },
  { title: "Status" },
  { title: "Created" },
  { title: "Signs since" },
  { title: "Verifies until" },
];

const TONES: Readonly<Record<SigningKey["status"], Tone>> = {
  active: "green",
  published: "cyan",
  retiring: "yellow",
  retired: "dim",
};

const row = (view: View, key: SigningKey): readonly Cell[] => {
  const status = keyStatus(key, view.now);
  return [
    key.kid,
    { text: status, tone: TONES[status] },
    when(view, key.createdAt),
    key.activatedAt === undefined ? "" : when(view, key.activatedAt),
    status === "retiring" && key.verifyUntil !== undefined ? when(view, key.verifyUntil) : "",
  ];
};
