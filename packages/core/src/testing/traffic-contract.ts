import { jobContract } from "./job-contract.ts";
import { permitContract } from "./permit-contract.ts";
import { presenceContract } from "./presence-contract.ts";
import { queueContract } from "./queue-contract.ts";
import { quotaContract } from "./quota-contract.ts";
import type { WithStore } from "./store-contract.ts";
import { usageContract } from "./usage-contract.ts";
import { usageReportContract } from "./usage-report-contract.ts";

export const trafficContract = (withStore: WithStore): void => {
  usageContract(withStore);
  usageReportContract(withStore);
  permitContract(withStore);
  quotaContract(withStore);
  queueContract(withStore);
  jobContract(withStore);
  presenceContract(withStore);
};
