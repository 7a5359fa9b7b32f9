import type { Receipt } from "@aigw/core";

export interface ReceiptJson {
  readonly rev: number;
  readonly gateways: readonly {
    readonly id: string;
    readonly address: string;
    /** Its number among the processes that share the address; absent when it has it alone. */
    readonly worker?: number;
    /** Null when it was not seen to apply the revision. */
    readonly appliedAfterMs: number | null;
  }[];
  readonly complete: boolean;
}

export const receiptJson = ({ rev, gateways, complete }: Receipt): ReceiptJson => ({
  rev,
  gateways: gateways.map(({ id, address, worker, appliedAfterMs }) => ({
    id,
    address,
    ...(worker !== undefined && { worker }),
    appliedAfterMs: appliedAfterMs ?? null,
  })),
  complete,
});
