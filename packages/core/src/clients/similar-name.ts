/** @returns the known name that was most likely meant: one letter off, or two in a longer name; undefined where none is */
export const similarName = (given: string, known: readonly string[]): string | undefined => {
  const allowed = given.length < 5 ? 1 : 2;
  let best: string | undefined;
  let least = allowed + 1;
  for (const name of known) {
    if (Math.abs(name.length - given.length) >= least) continue;
    const steps = distance(given, name);
    if (steps < least) [best, least] = [name, steps];
  }
  return best;
};

/** Letters to add, drop, replace, or swap with their neighbour (optimal string alignment). */
const distance = (one: string, other: string): number => {
  let [older, old]: number[][] = [[], Array.from({ length: other.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1;
      let steps = Math.min((old?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (old?.[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        steps = Math.min(steps, (older?.[j - 2] ?? 0) + 1);
      }
      row.push(steps);
    }
    [older, old] = [old ?? [], row];
  }
  return old?.[other.length] ?? 0;
};
