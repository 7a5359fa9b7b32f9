import { number } from "./figure.ts";

export interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

const WIDTH = 720;
const HEIGHT = 160;
const LEFT = 64;

/** Lines over one axis, each in a frame of its own that begins at zero, as an SVG. */
export const plot = (title: string, axis: string, x: readonly number[], lines: readonly Line[]): string => {
  const last = Math.max(...x);
  const frames = lines.map(({ name, values }, index) => {
    const most = Math.max(...values) * 1.1;
    const top = index * (HEIGHT + 40) + 24;
    const points = values.map((value, at) => {
      const left = LEFT + ((x[at] ?? 0) / last) * (WIDTH - LEFT - 8);
      return `${left.toFixed(1)},${(top + HEIGHT * (1 - value / most)).toFixed(1)}`;
    });
    return `<text x="${LEFT}" y="${top - 8}">${name}</text>
<text x="${LEFT - 8}" y="${top + 8}" text-anchor="end">${number(most)}</text>
<text x="${LEFT - 8}" y="${top + HEIGHT}" text-anchor="end">0</text>
<path d="M${LEFT} ${top}v${HEIGHT}H${WIDTH - 8}" fill="none" stroke="#888"/>
<polyline points="${points.join(" ")}" fill="none" stroke="#06c" stroke-width="1.5"/>`;
  });
  const height = lines.length * (HEIGHT + 40) + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<title>${title}</title>
<rect width="100%" height="100%" fill="#fff"/>
${frames.join("\n")}
<text x="${WIDTH - 8}" y="${height - 6}" text-anchor="end">${number(last)} ${axis}</text>
</svg>
`;
};
