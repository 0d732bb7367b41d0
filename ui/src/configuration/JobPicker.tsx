import { type ReactNode, useState } from "react";
import {
  Button,
  Collection,
  ComboBox,
  Input,
  ListBox,
  ListBoxItem,
  ListBoxLoadMoreItem,
  Popover,
} from "react-aria-components/ComboBox";
import type { JobSummary } from "~/api/types";
import { classes } from "~/components/classes";
import field from "~/components/Field.module.css";
import { Icon } from "~/components/Icon";
import { RUN_LOOKS } from "~/components/StatusBadge";
import { FieldHelp, FieldLabel } from "~/components/TextField";
import { count } from "~/i18n/numbers";
import styles from "./JobPicker.module.css";
import { useJobSearch } from "./useJobSearch";
import { useVirtualizer } from "./useVirtualizer";

interface JobPickerProps {
  selected: string | null;
  onSelect: (etl_job_id: string) => void;
  error?: string | undefined;
}

const ROW = 52;
const PADDING = 4;
const LIST_HEIGHT = 6.5 * ROW;

/** The server searches while one types; only the rows in sight are drawn, so that thousands of jobs are no burden. */
export function JobPicker({ selected, onSelect, error }: JobPickerProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const [isWanted, setWanted] = useState(false);
  const search = useJobSearch(typed?.trim() ?? "", isWanted);
  return (
    <ComboBox
      allowsEmptyCollection
      className={field.field ?? ""}
      inputValue={typed ?? selected ?? ""}
      isInvalid={error !== undefined}
      isRequired
      items={search.jobs}
      menuTrigger="input"
      onBlur={() => setTyped(null)}
      onChange={(key) => {
        setTyped(null);
        if (key !== null && key !== selected) onSelect(String(key));
      }}
      onFocus={() => setWanted(true)}
      onInputChange={setTyped}
      onOpenChange={(isOpen) => isOpen && setWanted(true)}
      validationBehavior="aria"
      value={selected}
    >
      <FieldLabel isRequired>ETL Job</FieldLabel>
      <div className={field.control} data-invalid={error === undefined ? undefined : true}>
        <Input className={field.input ?? ""} placeholder="Search by name or description" spellCheck={false} />
        <Button className={classes(field.addon, field.plain)}>
          <Icon
            name={search.isSearching && isWanted ? "loader" : "chevronUpDown"}
            isSpinning={search.isSearching && isWanted}
          />
        </Button>
      </div>
      <FieldHelp error={error} help={undefined} />
      <Popover className={styles.popover ?? ""} offset={4}>
        <Rows>
          <ListBox
            className={styles.list ?? ""}
            renderEmptyState={() => <Nothing isSearching={search.isSearching} error={search.error} typed={typed} />}
            style={{ height: Math.min(LIST_HEIGHT, Math.max(1, search.jobs.length) * ROW + 2 * PADDING) }}
          >
            <Collection items={search.jobs}>{(job) => <JobOption job={job} />}</Collection>
            <ListBoxLoadMoreItem isLoading={search.isLoadingMore} onLoadMore={search.loadMore}>
              <span className={styles.nothing}>
                <Icon isSpinning name="loader" /> More jobs…
              </span>
            </ListBoxLoadMoreItem>
          </ListBox>
        </Rows>
        {search.total > 0 && (
          <p className={styles.total}>{search.total === 1 ? "1 job" : `${count(search.total)} jobs`}</p>
        )}
      </Popover>
    </ComboBox>
  );
}

function Rows({ children }: { children: ReactNode }) {
  const room = useVirtualizer(true);
  if (!room) return children;
  return (
    <room.Virtualizer layout={room.ListLayout} layoutOptions={{ rowSize: ROW, padding: PADDING, loaderSize: ROW }}>
      {children}
    </room.Virtualizer>
  );
}

function JobOption({ job }: { job: JobSummary }) {
  const look = job.last_run && RUN_LOOKS[job.last_run.status];
  return (
    <ListBoxItem className={styles.option ?? ""} id={job.etl_job_id} textValue={job.etl_job_id}>
      <span className={styles.words}>
        <span className={styles.id}>{job.etl_job_id}</span>
        <span className={styles.description}>
          {job.is_configured ? (job.description ?? `${job.source_type} → ${job.target_table}`) : "no longer configured"}
        </span>
      </span>
      {look && (
        <span className={classes(styles.last, styles[look.tone])}>
          <Icon isSpinning={look.isSpinning ?? false} name={look.icon} size={14} />
          {look.text}
        </span>
      )}
    </ListBoxItem>
  );
}

function Nothing({ isSearching, error, typed }: { isSearching: boolean; error: Error | null; typed: string | null }) {
  if (isSearching) return <p className={styles.nothing}>Searching…</p>;
  if (error) return <p className={styles.nothing}>{error.message}</p>;
  return <p className={styles.nothing}>{typed ? `No job has “${typed}” in its name or description.` : "No jobs."}</p>;
}
