/** What several clients have in common. What a client has of its own comes before it; see {@link termsOf}. */
export interface Plan {
  /** Unique; see {@link parsePlanName}. */
  readonly name: string;
  /** Requests admitted in any rolling 60 s; absent: the plan says nothing of it. */
  readonly limit?: number;
  /** Service names its clients may call; absent: all. */
  readonly services?: readonly string[];
  /** In its canonical text; see parseQuotas. */
  readonly quota?: string;
  /** 1 to 100; see {@link DEFAULT_WEIGHT}. */
  readonly weight?: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}
