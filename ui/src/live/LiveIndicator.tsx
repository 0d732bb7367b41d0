import { classes } from "~/components/classes";
import type { Link, LinkState } from "./channel";
import styles from "./LiveIndicator.module.css";
import { useNow } from "./use-now";
import { useLink } from "./use-run";

const WORDS: Readonly<Record<LinkState, string>> = {
  connecting: "Connecting",
  live: "Live",
  polling: "Polling",
  unreachable: "Server out of reach, trying again",
  ended: "Up to date",
  refused: "Stopped",
};

const HINTS: Readonly<Record<LinkState, string>> = {
  connecting: "Waiting for the first word from the server",
  live: "Changes arrive as they happen",
  polling: "No events arrive, so the page asks every 2 seconds; it goes back to events by itself",
  unreachable: "What is shown may be old",
  ended: "The run has ended; the page looks every few seconds whether it was taken up again",
  refused: "The server refused, see the message",
};

export function LiveIndicator() {
  const link = useLink();
  const isTroubled = link.trouble !== null;
  return (
    <p
      className={classes(styles.indicator, isTroubled ? styles.unreachable : styles[link.state])}
      data-link={link.state}
      title={link.trouble ?? HINTS[link.state]}
    >
      <span className={styles.dot} />
      {isTroubled ? "Database out of reach, trying again" : WORDS[link.state]}
      <Refreshed link={link} />
    </p>
  );
}

function Refreshed({ link }: { link: Link }) {
  const now = useNow(1000);
  if (link.heardAt === null) return null;
  return <span className={styles.refreshed}>refreshed {age(now - link.heardAt)}</span>;
}

function age(milliseconds: number): string {
  const seconds = Math.floor(Math.max(0, milliseconds) / 1000);
  if (seconds < 4) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}
