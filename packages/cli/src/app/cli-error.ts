/** The command was called in a way that cannot work: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Ctrl-C, or a question that was answered with no. An empty message says nothing. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Whoever read stdout has gone. */
export class BrokenPipe extends Error {
  override readonly name = "BrokenPipe";
}
