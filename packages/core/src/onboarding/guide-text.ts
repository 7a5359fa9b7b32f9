/** Text of the guide, in a form that every renderer escapes in its own way. */
export type Inline =
  | string
  | { readonly code: string }
  | { readonly strong: string }
  | { readonly link: string; readonly text: string };

export type Text = readonly Inline[];

export type CodeLanguage = "bash" | "powershell" | "python" | "javascript" | "json" | "text";

export type Block =
  | { readonly kind: "paragraph"; readonly text: Text }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly Text[] }
  | { readonly kind: "code"; readonly label: string; readonly language: CodeLanguage; readonly code: string }
  | { readonly kind: "table"; readonly columns: readonly string[]; readonly rows: readonly (readonly Text[])[] }
  | { readonly kind: "questions"; readonly items: readonly { readonly question: string; readonly answer: Text }[] };

export interface Section {
  /** Unique in the guide; a link can point at it. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
  readonly parts?: readonly Section[];
}

export interface Guide {
  readonly title: string;
  readonly lead: Text;
  readonly sections: readonly Section[];
}

export const code = (text: string): Inline => ({ code: text });
export const strong = (text: string): Inline => ({ strong: text });
export const link = (href: string, text: string): Inline => ({ link: href, text });

/** `` text`Send ${code("X")}.` ``; plain values become plain text. */
export const text = (parts: TemplateStringsArray, ...values: readonly (Inline | number)[]): Text =>
  parts.flatMap((part, index) => {
    const value = values[index];
    const inline = typeof value === "number" ? String(value) : value;
    return [part, inline].filter((piece): piece is Inline => piece !== undefined && piece !== "");
  });

export const paragraph = (content: Text): Block => ({ kind: "paragraph", text: content });
export const bullets = (...items: readonly Text[]): Block => ({ kind: "list", ordered: false, items });
export const steps = (...items: readonly Text[]): Block => ({ kind: "list", ordered: true, items });
