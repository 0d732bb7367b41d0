import { Outlet } from "@tanstack/react-router";
import { LiveRegions } from "~/components/LiveRegions";
import { Toasts } from "~/components/Toasts";

export function App() {
  return (
    <>
      <main>
        <Outlet />
      </main>
      <Toasts />
      <LiveRegions />
    </>
  );
}
