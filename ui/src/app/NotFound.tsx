import { Link } from "@tanstack/react-router";
import { EmptyState } from "~/components/EmptyState";

export function NotFound() {
  return (
    <EmptyState actions={<Link to="/etl/data-loader">To the Data Loader</Link>} icon="search" title="No such page" />
  );
}
