import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { isPassing, problemCode } from "~/api/problem";
import { announce } from "~/components/announcements";
import { Button } from "~/components/Button";
import { Icon } from "~/components/Icon";
import styles from "./ConnectionBanner.module.css";

const AGAIN_MILLISECONDS = 3000;

type Trouble = "server_gone" | "database_unavailable" | null;

/** Shown while the server or its database is away; asks again by itself until both are back. */
export function ConnectionBanner() {
  const [trouble, askAgain] = useTrouble();
  useEffect(() => {
    if (!trouble) return;
    announce(WORDS[trouble], "assertive");
    const timer = setInterval(askAgain, AGAIN_MILLISECONDS);
    return () => clearInterval(timer);
  }, [trouble, askAgain]);
  if (!trouble) return null;
  return (
    <div className={styles.banner}>
      <Icon name="unplugged" />
      <p className={styles.words}>{WORDS[trouble]}</p>
      <Button isSmall onPress={askAgain}>
        Try now
      </Button>
    </div>
  );
}

const WORDS = {
  server_gone: "The server does not answer. Loads go on without it; this page asks again by itself.",
  database_unavailable: "The database does not answer. This page asks again by itself.",
};

function useTrouble(): [Trouble, () => void] {
  const cache = useQueryClient().getQueryCache();
  const trouble = useSyncExternalStore(
    useCallback((listener) => cache.subscribe(listener), [cache]),
    () => {
      const codes = cache.findAll({ type: "active" }).map(({ state }) => problemCode(state.fetchFailureReason));
      if (codes.includes("server_gone")) return "server_gone";
      return codes.includes("database_unavailable") ? "database_unavailable" : null;
    },
  );
  const askAgain = useCallback(() => {
    for (const query of cache.findAll({ type: "active" }))
      if (isPassing(query.state.error) && query.state.fetchStatus === "idle") void query.fetch().catch(() => undefined);
  }, [cache]);
  return [trouble, askAgain];
}
