import { setImmediate as afterPoll } from "node:timers/promises";
import type { Client, Clock, ControlStore, MaybePromise, Sealer, Service } from "@aigw/core";
import { type ControlState, emptyControlState, fold, isSettled } from "@aigw/core/changes";
import { AigwError, isStoreFault } from "@aigw/core/errors";
import { endedKey } from "@aigw/core/keys";
import type { Terms } from "@aigw/core/plans";
import { inTime, isSilence, REQUEST_PATIENCE_MS } from "@aigw/core/store";
import type { Upstream } from "../proxy/call.ts";
import { type OpenedKey, OpenedState } from "./opened-state.ts";

const POLL_MS = 50;
/** An engine behind a network is asked less often: its server answers every gateway there is. */
const REMOTE_POLL_MS = 200;
const PAGE = 1_000;
/** Clients that are packed with each poll, in a millisecond: all that are loose before what starting took is collected. */
const PACKED_A_POLL = 400;
/** A request that comes later than this after the last look (the process was suspended) looks itself first. */
const LOOK_AGAIN_MS = 700;
/**
 * An engine that does not answer counts as away. Two of these and a poll are less than LOOK_AGAIN_MS, so that while the
 * log is not read requests need not wait for it.
 */
const LOOK_TIMEOUT_MS = 200;
/** Everything there is, of a hundred thousand clients, comes later than one answer. */
const LOAD_TIMEOUT_MS = 10_000;

export interface FollowerOptions {
  readonly control: ControlStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** How long the state is served without having been able to read the log, milliseconds. */
  readonly maxStaleMs: number;
  /** The state has moved on to a new revision. */
  readonly onApplied: () => void;
  /** The store went away or came back, or following failed. */
  readonly onFault: (error: unknown) => void;
  readonly onRecovered: () => void;
}

/**
 * Follows the change log: keeps the folded control state in memory, so that no request waits for the store. Its
 * freshness is a lease that every successful look renews.
 */
export class ControlFollower {
  readonly #options: FollowerOptions;
  #state: ControlState = emptyControlState();
  readonly #opened: OpenedState;
  #freshAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  /** For all that ask in this turn of the event loop. */
  #refreshing: Promise<boolean> | undefined;
  /** The look after the one under way. */
  #nextLook: Promise<void> | undefined;
  /** Everything, asked for anew; a look that it does not reach leaves it to the next one. */
  #loading: { readonly askedAt: number; readonly state: MaybePromise<ControlState> } | undefined;
  /** Everything up to it is in force: opened, and what it forbids cut. */
  #appliedRev = 0;
  /** A change could not be opened, so the state is neither the old nor the new one. */
  #torn = false;
  #faulty = false;
  /** The engine answers by promises. */
  #isRemote = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#opened = new OpenedState(options.sealer);
  }

  /** @throws AigwError when the state cannot be loaded in 10 s: a gateway never starts blind */
  async start(): Promise<void> {
    await this.#load(LOAD_TIMEOUT_MS);
    this.#timer = setInterval(() => this.#poll(), POLL_MS);
  }

  #poll(): void {
    this.#state.clients.pack(PACKED_A_POLL);
    if (this.#looking !== undefined) return;
    // Half a beat early, or a look that is due with a beat would wait for the next.
    const dueAt = this.#isRemote ? this.#lookedAt + REMOTE_POLL_MS - POLL_MS / 2 : 0;
    if (this.#options.clock.monotonic() >= dueAt) void this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get rev(): number {
    return this.#appliedRev;
  }

  get clientCount(): number {
    return this.#state.clients.size;
  }

  clientById(id: string): Client | undefined {
    return this.#state.clients.byId(id);
  }

  clientByName(name: string): Client | undefined {
    return this.#state.clients.byName(name);
  }

  /** The credential epoch of a client, without bringing it into use. */
  epochOf(clientId: string): number | undefined {
    return this.#state.clients.epochOf(clientId);
  }

  /** @param client as the state has it */
  termsOf(client: Client): Terms {
    return this.#opened.termsOf(client, this.#state);
  }

  key(kid: string): OpenedKey | undefined {
    return this.#opened.key(kid);
  }

  /** Whether this key ended by itself, after its grace: what it opened may go on, unlike after a rotation at once. */
  ranOut(kid: string): boolean {
    return this.#state.keyring.some((key) => key.kid === kid && key.verifyUntil !== undefined);
  }

  /** @param now steady milliseconds of the store */
  hasEndedKey(now: number): boolean {
    return endedKey(this.#state.keyring, { steady: now }) !== undefined;
  }

  signingKey(): OpenedKey | undefined {
    return this.#opened.signingKey();
  }

  get services(): ReadonlyMap<string, Service> {
    return this.#state.services;
  }

  get settings(): ControlState["settings"] {
    return this.#state.settings;
  }

  /** For how long the state has not been confirmed, milliseconds. */
  get staleMs(): number {
    return this.#options.clock.monotonic() - this.#freshAt;
  }

  /** Of all services. */
  get upstreams(): Iterable<Upstream> {
    return this.#opened.upstreams;
  }

  upstream(service: string): Upstream | undefined {
    return this.#opened.upstream(service);
  }

  /**
   * Whether the state may be served. Answers at once while the last look is recent; otherwise looks first, so that a
   * process which was stopped and continued serves nothing from before.
   */
  isFresh(): MaybePromise<boolean> {
    const now = this.#options.clock.monotonic();
    if (now - this.#lookedAt < LOOK_AGAIN_MS) return now - this.#freshAt <= this.#options.maxStaleMs;
    return this.refresh().then(() => this.#options.clock.monotonic() - this.#freshAt <= this.#options.maxStaleMs);
  }

  /**
   * Looks at the log now instead of at the next poll: for a login, and before a token of somebody new is refused, so that
   * an act that is done is in force for whoever comes next. All that come in one turn of the event loop share the look
   * after it, be they a flood. Returns after 250 ms also when the look has not come to an end. Never rejects.
   * @returns whether it came to an end and found what there is: else nobody knows what was done meanwhile
   */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh();
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    await afterPoll();
    this.#refreshing = undefined;
    const asked = this.#options.clock.monotonic();
    try {
      await inTime(this.#freshLook(), REQUEST_PATIENCE_MS);
    } catch (error) {
      if (!isSilence(error)) throw error;
    }
    return this.#freshAt >= asked;
  }

  /** A look under way may have read the log before the act in question, so its callers share the next one. */
  #freshLook(): Promise<void> {
    if (this.#looking === undefined) return this.#look();
    this.#nextLook ??= this.#looking.then(() => {
      this.#nextLook = undefined;
      return this.#looking ?? this.#look();
    });
    return this.#nextLook;
  }

  #look(): Promise<void> {
    this.#looking = this.#catchUp().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #catchUp(): Promise<void> {
    const asked = this.#options.clock.monotonic();
    try {
      const answer = this.#options.control.head();
      this.#isRemote = answer instanceof Promise;
      const head = await inTime(answer, LOOK_TIMEOUT_MS);
      // A log that went back is another log: somebody put a backup in its place.
      if (head < this.#state.rev || this.#torn) await this.#load(LOOK_TIMEOUT_MS);
      else {
        // Also when a look that was broken off has already read up to it.
        if (head > this.#appliedRev) await this.#applyUpTo(head);
        this.#freshAt = asked;
      }
      if (this.#faulty) this.#options.onRecovered();
      this.#faulty = false;
    } catch (error) {
      if (!this.#faulty) this.#options.onFault(error);
      this.#faulty = true;
      if (!isStoreFault(error)) {
        this.#freshAt = Number.NEGATIVE_INFINITY;
        this.#torn = true;
      }
    }
    // Only now: a process that was stopped and continued must not take a look that has just begun for a recent one.
    this.#lookedAt = asked;
  }

  async #applyUpTo(head: number): Promise<void> {
    while (this.#state.rev < head) {
      const changes = await inTime(this.#options.control.changesAfter(this.#state.rev, PAGE), LOOK_TIMEOUT_MS);
      if (changes.length === 0) throw incomplete();
      // Far behind: what counts in place of one of these comes on a later page.
      if (!isSettled(changes)) {
        await this.#load(LOOK_TIMEOUT_MS);
        if (this.#state.rev >= head) return;
        continue;
      }
      for (const change of changes) {
        if (change.rev !== this.#state.rev + 1) throw incomplete();
        fold(this.#state, change);
        for (const effect of change.effects) this.#opened.open(effect, this.#state);
      }
    }
    this.#applied();
  }

  #applied(): void {
    this.#appliedRev = this.#state.rev;
    // What was asked for before, and has not been answered yet, is older.
    this.#loading = undefined;
    this.#torn = false;
    this.#options.onApplied();
  }

  async #load(patienceMs: number): Promise<void> {
    const now = this.#options.clock.monotonic();
    if (this.#loading === undefined || now - this.#loading.askedAt >= LOAD_TIMEOUT_MS) {
      this.#loading = { askedAt: now, state: this.#options.control.snapshot() };
    }
    const { askedAt, state } = this.#loading;
    try {
      this.#state = await inTime(state, patienceMs);
      this.#loading = undefined;
    } catch (error) {
      if (!isSilence(error)) this.#loading = undefined;
      throw error;
    }
    this.#opened.openAll(this.#state);
    this.#freshAt = askedAt;
    this.#lookedAt = askedAt;
    this.#applied();
  }
}

/** It names a revision that it does not show: to go on from there would skip somebody's revocation. */
const incomplete = (): AigwError =>
  new AigwError(
    "store_unavailable",
    "The store does not show every change that it says it has. Look at it again soon.",
  );
