import { Card } from "~/components/Card";
import { HistoryPanel } from "~/history/HistoryPanel";
import { JobsOverview } from "~/history/JobsOverview";
import { Layout } from "./Layout";
import { usePageSearch } from "./usePageSearch";

/** `/etl/data-loader`: no run yet. */
export function ChooseRun() {
  const [{ job }] = usePageSearch();
  return (
    <Layout etl_job_id={job ?? null}>
      <title>{job ? `${job} – Data Loader` : "Data Loader"}</title>
      <h1 className="visually-hidden">Data Loader</h1>
      {job ? (
        <Card isFlush title={`Runs of ${job}`}>
          <HistoryPanel etl_job_id={job} key={job} />
        </Card>
      ) : (
        <JobsOverview />
      )}
    </Layout>
  );
}
