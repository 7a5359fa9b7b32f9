import { isStoreFault } from "@aigw/core/errors";

/** Store faults are ours, worded without secrets; anything else only by its kind. */
export const reasonOf = (error: unknown): string => (isStoreFault(error) ? error.message : errorNameOf(error));

export const errorNameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);
