import type { components } from "./schema";

type Schemas = components["schemas"];

export type Run = Schemas["Run"];
export type RunStatus = Schemas["RunStatus"];
export type RunSummary = Schemas["RunSummary"];
export type RunMetrics = Schemas["RunMetrics"];
export type RunPage = Schemas["RunPage"];
export type Batch = Schemas["Batch"];
export type BatchRow = Schemas["BatchRow"];
export type BatchStatus = Schemas["BatchStatus"];
export type BatchPage = Schemas["BatchPage"];
export type Change = Schemas["Change"];
export type ConfigurationChange = Schemas["ConfigurationChange"];
export type Job = Schemas["Job"];
export type JobOrder = Schemas["JobOrder"];
export type JobPage = Schemas["JobPage"];
export type JobSummary = Schemas["JobSummary"];
export type LastRequest = Schemas["LastRequest"];
export type LogEntry = Schemas["LogEntry"];
export type Session = Schemas["Session"];
export type User = Schemas["User"];
export type ValidationExample = Schemas["ValidationExample"];
export type ValidationSummary = Schemas["ValidationSummary"];
export type WorkerList = Schemas["WorkerList"];

export const BATCH_STATUSES = ["pending", "running", "retried", "succeeded", "failed"] as const satisfies BatchStatus[];
