import type { Route } from "./route.ts";

/** The ways to a service's targets, and which of them the next call takes. */
export class Balance {
  /** In the service's order. */
  readonly routes: readonly Route[];
  readonly #only: Route | undefined;

  /** @param hasFallback another service takes the calls while this one is down */
  constructor(routes: readonly Route[], hasFallback: boolean) {
    this.routes = routes;
    // There is nobody who could take its calls in its place: one that is down is tried all the same.
    const [only] = routes;
    const isAlone = routes.length === 1 && !hasFallback && only?.isDrained === false;
    this.#only = isAlone ? only : undefined;
  }

  /** Whether a call that fails may be tried elsewhere. */
  get hasOthers(): boolean {
    return this.#only === undefined;
  }

  /**
   * The target that works and has the fewest open calls for its weight; those that are alike take turns by weight.
   * @param except has just failed
   * @returns undefined when none takes calls
   */
  pick(now: number, except?: Route): Route | undefined {
    const only = this.#only;
    // One that is asked for its health is known to be down.
    if (only !== undefined && !only.state.watched) return only;
    let least: Route | undefined;
    for (const route of this.routes) {
      if (route === except || route.isDrained || !route.state.takes(now)) continue;
      if (least === undefined || isLess(route, least)) least = route;
    }
    return least === undefined ? undefined : this.#inTurn(least, now, except);
  }

  /** Whether {@link pick} has a target for a call. */
  takes(now: number): boolean {
    if (this.#only !== undefined && !this.#only.state.watched) return true;
    return this.routes.some(({ isDrained, state }) => !isDrained && state.takes(now));
  }

  /** When a target may take calls again, milliseconds from now; 0 when nobody can say. */
  restMs(now: number): number {
    let rest = Number.POSITIVE_INFINITY;
    for (const { isDrained, state } of this.routes) if (!isDrained) rest = Math.min(rest, state.restMs(now));
    return rest === Number.POSITIVE_INFINITY ? 0 : rest;
  }

  /** Among those that are as free as `least`, smoothly: with weights 2 and 1 a, b, a, and not a, a, b. */
  #inTurn(least: Route, now: number, except: Route | undefined): Route {
    let chosen: Route | undefined;
    let total = 0;
    for (const route of this.routes) {
      if (route === except || route.isDrained || !route.state.takes(now) || isLess(least, route)) continue;
      route.turn += route.weight;
      total += route.weight;
      if (chosen === undefined || route.turn > chosen.turn) chosen = route;
    }
    if (chosen === undefined) return least;
    chosen.turn -= total;
    return chosen;
  }
}

const isLess = (one: Route, other: Route): boolean =>
  one.state.openCalls * other.weight < other.state.openCalls * one.weight;
