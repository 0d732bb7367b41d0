import { useSyncExternalStore } from "react";
import { currentlySpoken, subscribe } from "./announcements";

/** Once in the page: what `announce` says goes through here. */
export function LiveRegions() {
  const { polite, assertive } = useSyncExternalStore(subscribe, currentlySpoken);
  return (
    <>
      <div aria-live="polite" className="visually-hidden" data-testid="polite">
        {polite}
      </div>
      <div aria-live="assertive" className="visually-hidden" data-testid="assertive">
        {assertive}
      </div>
    </>
  );
}
