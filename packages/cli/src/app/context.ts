import type { ControlStore } from "@aigw/core";
import { type Clock, systemClock } from "@aigw/core/clock";
import type { Io } from "../terminal/io.ts";
import { createOutput, type Output } from "../terminal/output/output.ts";
import type { Prompter } from "../terminal/prompter.ts";
import { carryFlags } from "./carry-flags.ts";
import type { Globals } from "./globals.ts";
import { type Home, type HomeMode, openControlFor, openHomeFor } from "./home.ts";

/** All that a command is given. What costs something happens when it is called, so that `--help` opens nothing. */
export interface Context {
  readonly io: Io;
  readonly clock: Clock;
  readonly env: Io["env"];
  readonly prompter: Prompter;
  /** Known once the command line is parsed: not while commands are being declared. */
  readonly globals: Globals;
  readonly out: Output;
  /** True when there is somebody to ask. */
  readonly interactive: boolean;
  /** Opens the home, hands it over and closes it, whatever happens. */
  withHome<T>(mode: HomeMode, work: (home: Home) => Promise<T>): Promise<T>;
  /** The same of an existing home, for commands that read only what admins have set. */
  withControl<T>(work: (control: ControlStore) => Promise<T>): Promise<T>;
}

/** @param globals asked for after parsing only */
export const createContext = (io: Io, globals: () => Globals): Context => {
  const { clock = systemClock } = io;
  let out: Output | undefined;
  const ctx: Context = {
    io,
    clock,
    env: io.env,
    get prompter() {
      return io.prompter;
    },
    get globals() {
      return globals();
    },
    get out() {
      const { json, quiet, color, input } = globals();
      out ??= createOutput(io, clock, {
        mode: json ? "json" : quiet ? "quiet" : "text",
        colour: color,
        pages: input,
        carry: (text) => carryFlags(text, globals()),
      });
      return out;
    },
    get interactive() {
      const { json, input } = globals();
      return input && !json && io.stdin.isTTY === true && io.stderr.isTTY === true;
    },
    async withHome(mode, work) {
      const home = await openHomeFor(ctx, mode);
      try {
        return await work(home);
      } finally {
        await home.store.close();
      }
    },
    async withControl(work) {
      const store = await openControlFor(ctx);
      try {
        return await work(store.control);
      } finally {
        await store.close();
      }
    },
  };
  return ctx;
};
