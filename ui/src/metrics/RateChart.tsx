import { Component, type ReactNode, Suspense } from "react";
import { fetched } from "~/components/fetched";
import { duration, shortCount } from "~/i18n/numbers";
import styles from "./RateChart.module.css";
import type { Rates } from "./rates";

const Plot = fetched(() => import("./Plot").then((room) => room.default));

/** Rows a second over time; where no chart can be drawn, the same in words. */
export function RateChart({ rates }: { rates: Rates }) {
  const words = describe(rates);
  return (
    <figure className={styles.figure}>
      <ChartBoundary fallback={<p className={styles.words}>{words}</p>}>
        <Suspense fallback={<div className={styles.plot} />}>
          <div aria-label={words} className={styles.plot} role="img">
            <Plot rates={rates} />
          </div>
        </Suspense>
      </ChartBoundary>
    </figure>
  );
}

function describe(rates: Rates): string {
  const spans = rates.seconds.length;
  const length = ((rates.seconds.at(-1) ?? 0) - (rates.seconds[0] ?? 0)) * (spans / Math.max(1, spans - 1));
  const numbers = `${shortCount(Math.round(rates.average))} on average, ${shortCount(Math.round(rates.highest))} at most`;
  return `Rows stored a second over ${duration(length)}: ${numbers}, ${shortCount(Math.round(rates.latest))} of late.`;
}

/**
 * uPlot throws while it is imported where the browser's language is none that Intl knows (`en-US@posix`). A chart is
 * never worth the page.
 */
class ChartBoundary extends Component<{ fallback: ReactNode; children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render(): ReactNode {
    return this.state.hasFailed ? this.props.fallback : this.props.children;
  }
}
