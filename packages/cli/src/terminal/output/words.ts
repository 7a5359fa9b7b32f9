import { grouped } from "./figures.ts";

/** `1 client`, `3,311 clients`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`;

/** `once`, `twice`, `3 times`. */
export const times = (count: number): string =>
  count === 1 ? "once" : count === 2 ? "twice" : `${grouped(count)} times`;

/** `a`, `a and b`, `a, b and 3 more`. */
export const listed = (items: readonly string[], most = 5): string => {
  const shown = items.length > most ? [...items.slice(0, most), `${items.length - most} more`] : items;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
};
