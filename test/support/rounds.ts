/** What is told at full size: `pnpm test:outside`, see decision 097. */
export const AT_FULL_SIZE = process.env["AIGW_TEST_FULL"] === "1";

/** For a test's options: what its file tells at full size alone. */
export const ONLY_AT_FULL_SIZE: { readonly skip: boolean } = { skip: !AT_FULL_SIZE };

/** How often a test repeats what it does at random moments; AIGW_TEST_ROUNDS raises it for a long run. */
export const rounds = (usual: number): number => {
  const asked = Number(process.env["AIGW_TEST_ROUNDS"] ?? 0);
  return Number.isInteger(asked) && asked > usual ? asked : usual;
};

export const randomBetween = (from: number, to: number): number => from + Math.random() * (to - from);
