/** ` Did you mean john?`, or nothing when none of the names is near. */
export const didYouMean = (given: string, names: readonly string[]): string => {
  const nearest = names
    .map((name) => ({ name, distance: distanceOf(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(Math.max(given.length, name.length) / 3)))
    .sort((one, other) => one.distance - other.distance || (one.name < other.name ? -1 : 1))
    .slice(0, MOST)
    .map(({ name }) => name);
  return nearest.length === 0 ? "" : ` Did you mean ${nearest.join(" or ")}?`;
};

const MOST = 3;
/** Names are no longer; what is given may be anything. */
const LONGEST = 64;

/** Letters inserted, left out, replaced, or two of them swapped (optimal string alignment). */
const distanceOf = (one: string, other: string): number => {
  if (Math.abs(one.length - other.length) > LONGEST || one.length > LONGEST * 2) return Number.POSITIVE_INFINITY;
  let [before, last]: number[][] = [[], Array.from({ length: other.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const same = one[row - 1] === other[column - 1];
      let least = Math.min(
        (last?.[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (last?.[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (swapped) least = Math.min(least, (before?.[column - 2] ?? 0) + 1);
      line.push(least);
    }
    [before, last] = [last, line];
  }
  return last?.[other.length] ?? 0;
};
