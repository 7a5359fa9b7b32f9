import type { Receipt } from "@aigw/core";

export interface ReceiptJson {
  readonly rev: number;
  readonly gateways: readonly {
    readonly id: string;
    readonly address: string;
    /** Null when it was not seen to apply the revision. */
    readonly appliedAfterMs: number | null;
  }[];
  readonly complete: boolean;
}

export const receiptJson = ({ rev, gateways, complete }: Receipt): ReceiptJson => ({
  rev,
  gateways: gateways.map(({ id, address, appliedAfterMs }) => ({
    id,
    address,
    appliedAfterMs: appliedAfterMs ?? null,
  })),
  complete,
});
