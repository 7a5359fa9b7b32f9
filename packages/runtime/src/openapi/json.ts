export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;

export const ref = (kind: "schemas" | "headers" | "parameters" | "responses", name: string): JsonObject => ({
  $ref: `#/components/${kind}/${name}`,
});
