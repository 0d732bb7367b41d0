import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ConfigurationPanel } from "~/configuration/ConfigurationPanel";
import { rememberAsked } from "~/run/useRunNews";
import styles from "./Layout.module.css";

interface LayoutProps {
  etl_job_id: string | null;
  isRunShown?: boolean;
  children: ReactNode;
}

/** Left the form, right what is looked at; one below the other where there is no room for both. */
export function Layout({ etl_job_id, isRunShown = false, children }: LayoutProps) {
  const navigate = useNavigate();
  return (
    <div className={styles.layout}>
      <aside aria-label="Configuration" className={styles.side}>
        <ConfigurationPanel
          etl_job_id={etl_job_id}
          onChooseJob={(job) => void navigate({ to: "/etl/data-loader", search: { job } })}
          onStarted={(run) => {
            rememberAsked(run);
            void navigate({
              to: "/etl/data-loader/$etl_job_id/$etl_run_id",
              params: { etl_job_id: run.etl_job_id, etl_run_id: run.etl_run_id },
            });
          }}
          startsFolded={isRunShown}
        />
      </aside>
      <div className={styles.content}>{children}</div>
    </div>
  );
}
