const TRIAL = ":trial";

/**
 * The name that calls of `aigw onboard`'s own trial are recorded under: they are no use by the client. No client can be
 * called so. See docs/decisions/046-trials.md.
 */
export const trialName = (client: string): string => `${client}${TRIAL}`;

/** The client whose quick start was tried, or undefined when it is a client's own name. */
export const triedClient = (name: string): string | undefined =>
  name.endsWith(TRIAL) ? name.slice(0, -TRIAL.length) : undefined;
