import { useQuery } from "@tanstack/react-query";
import { Suspense, useEffect, useState } from "react";
import { Form } from "react-aria-components/Form";
import { ProblemError, problemCode } from "~/api/problem";
import { jobQuery } from "~/api/queries";
import type { Job, Run } from "~/api/types";
import { Button, IconButton } from "~/components/Button";
import { Callout } from "~/components/Callout";
import { Card } from "~/components/Card";
import { fetched } from "~/components/fetched";
import { Icon } from "~/components/Icon";
import { NumberField } from "~/components/NumberField";
import { sentence } from "~/components/ProblemState";
import { TextField } from "~/components/TextField";
import { useIsOperator } from "~/session/useSession";
import { BATCH_STEP, batchSizeFault, batchSizeHelp, LARGEST_BATCH, SMALLEST_BATCH, USUAL_BATCH } from "./batchSize";
import styles from "./ConfigurationPanel.module.css";
import { DeduplicationNote } from "./DeduplicationNote";
import { JobFacts } from "./JobFacts";
import { JobPicker } from "./JobPicker";
import { RegenerateButton } from "./RegenerateButton";
import { newRunId, runIdFault } from "./runId";
import { useStartRun, type Wish } from "./useStartRun";

interface ConfigurationPanelProps {
  /** Of the URL. */
  etl_job_id: string | null;
  onChooseJob: (etl_job_id: string) => void;
  onStarted: (run: Run) => void;
  /** Something else is looked at: where one stands below the other, the form waits behind its title. */
  startsFolded?: boolean;
}

const StartAnywayDialog = fetched(() => import("./StartAnywayDialog").then((room) => room.StartAnywayDialog));

const LIVE_RUN_MILLISECONDS = 5000;

export function ConfigurationPanel(props: ConfigurationPanelProps) {
  const { etl_job_id, onChooseJob, onStarted, startsFolded = false } = props;
  const [isFolded, setFolded] = useState(startsFolded);
  const job = useQuery({
    ...jobQuery(etl_job_id ?? ""),
    enabled: etl_job_id !== null,
    refetchInterval: LIVE_RUN_MILLISECONDS, // whether another run of it is in progress
  });
  const jobFault = problemCode(job.error) === "unknown_job" ? `No job is called ${etl_job_id}.` : undefined;
  return (
    <Card
      actions={
        <span className={styles.fold}>
          <IconButton
            aria-expanded={!isFolded}
            icon={isFolded ? "chevronRight" : "chevronDown"}
            isSmall
            label={isFolded ? "Show the form" : "Hide the form"}
            onPress={() => setFolded(!isFolded)}
          />
        </span>
      }
      isFolded={isFolded}
      title="Run Configuration"
    >
      <div className={styles.panel}>
        <JobPicker error={jobFault} onSelect={onChooseJob} selected={etl_job_id} />
        {job.data && <JobFacts job={job.data} />}
        <RunForm job={job.data} key={etl_job_id} onStarted={onStarted} />
      </div>
    </Card>
  );
}

function RunForm({ job, onStarted }: { job: Job | undefined; onStarted: (run: Run) => void }) {
  const [runId, setRunId] = useState("");
  const [typedSize, setTypedSize] = useState<number | null>(null);
  const [question, setQuestion] = useState<Wish | null>(null);
  const isOperator = useIsOperator();
  const start = useStartRun((run) => {
    setQuestion(null);
    setRunId(newRunId(run.etl_job_id));
    onStarted(run);
  });
  const jobId = job?.etl_job_id;
  useEffect(() => {
    if (jobId) setRunId(newRunId(jobId));
  }, [jobId]);

  const batch_size = typedSize ?? job?.batch_size ?? USUAL_BATCH;
  const idFault = job ? (runIdFault(runId) ?? fieldFault(start.error, "etl_run_id", "run_id_taken")) : undefined;
  const sizeFault = batchSizeFault(batch_size) ?? fieldFault(start.error, "batch_size");
  const isReady = job?.is_configured && isOperator && !runIdFault(runId) && !batchSizeFault(batch_size);

  const submit = () => {
    if (!job || !isReady || start.isStarting()) return;
    const wish: Wish = { etl_job_id: job.etl_job_id, etl_run_id: runId, batch_size, force: false };
    if (job.live_run_id) setQuestion({ ...wish, force: true });
    else start.mutate(wish, { onError: (error) => askOrTell(error, wish) });
  };
  /** Another run began since the job was last looked at. */
  const askOrTell = (error: Error, wish: Wish) => {
    if (problemCode(error) === "job_is_running") setQuestion({ ...wish, force: true });
  };

  return (
    <Form
      className={styles.form ?? ""}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <TextField
        addon={<RegenerateButton isDisabled={!job} onPress={() => job && setRunId(newRunId(job.etl_job_id))} />}
        autoComplete="off"
        error={idFault}
        help="A UUID, or letters, digits, - and _."
        isDisabled={!job}
        isMono
        isRequired
        label="Run ID"
        onChange={(id) => {
          start.reset();
          setRunId(id.trim());
        }}
        placeholder="Choose a job first"
        spellCheck="false"
        value={runId}
      />
      <NumberField
        commitBehavior="validate"
        error={sizeFault}
        help={batchSizeHelp(job?.batch_size ?? null, job?.batch_size_from ?? null)}
        isRequired
        label="Batch Size"
        maxValue={LARGEST_BATCH}
        minValue={SMALLEST_BATCH}
        onChange={(size) => {
          start.reset();
          setTypedSize(size);
        }}
        step={BATCH_STEP}
        value={batch_size}
      />
      <DeduplicationNote job={job} />
      <div aria-live="polite" className={styles.refusal}>
        <Refusal error={start.error} />
      </div>
      <Button icon="play" isDisabled={!isReady} isPending={start.isPending} tone="primary" type="submit">
        Start Load
      </Button>
      <WhyNot isOperator={isOperator} job={job} />
      <Suspense>
        {question && (
          <StartAnywayDialog
            isPending={start.isPending}
            liveRunId={job?.live_run_id ?? null}
            onCancel={() => setQuestion(null)}
            onConfirm={() => start.mutate(question, { onError: () => setQuestion(null) })}
            wish={question}
          />
        )}
      </Suspense>
    </Form>
  );
}

/** Beside a button that cannot be pressed: why. */
function WhyNot({ job, isOperator }: { job: Job | undefined; isOperator: boolean }) {
  if (!isOperator) return <Reason>Your role is viewer: starting a load takes an operator.</Reason>;
  if (!job) return <Reason>Choose a job to start a load.</Reason>;
  if (!job.is_configured) return <Reason>This job is no longer configured; its runs can be looked at.</Reason>;
  if (job.live_run_id) return <Reason>A run of this job is in progress: you will be asked first.</Reason>;
  return null;
}

function Reason({ children }: { children: string }) {
  return (
    <p className={styles.reason}>
      <Icon name="info" size={14} />
      {children}
    </p>
  );
}

const SHOWN_ELSEWHERE = ["job_is_running", "run_id_taken", "not_signed_in"];

function Refusal({ error }: { error: Error | null }) {
  if (!error || SHOWN_ELSEWHERE.includes(problemCode(error) ?? "")) return null;
  return (
    <Callout title="Not started" tone="danger">
      <p>{sentence(error.message)}</p>
      {error instanceof ProblemError && error.problem.next_step && <p>{sentence(error.problem.next_step)}</p>}
    </Callout>
  );
}

function fieldFault(error: Error | null, field: string, code?: string): string | undefined {
  if (!(error instanceof ProblemError)) return undefined;
  if (error.code === code) return sentence(error.problem.detail);
  return error.problem.fields?.[field];
}
