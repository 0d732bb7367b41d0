import { Link } from "@tanstack/react-router";
import { EmptyState } from "~/components/EmptyState";

export function NotFound() {
  return (
    <>
      <h1 className="visually-hidden">Data Loader</h1>
      <EmptyState actions={<Link to="/etl/data-loader">To the Data Loader</Link>} icon="search" title="No such page" />
    </>
  );
}
