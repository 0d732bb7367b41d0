/** Of what toasts of a run are: one each is shown. */

export const stateTopic = (etl_run_id: string): string => `state of ${etl_run_id}`;
export const errorsTopic = (etl_run_id: string): string => `passing errors of ${etl_run_id}`;
