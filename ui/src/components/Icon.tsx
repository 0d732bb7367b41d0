import styles from "./Icon.module.css";

/** Strokes in a 20 × 20 box. */
const PATHS = {
  alert: "M10 3.2 17.4 16H2.6L10 3.2Zm0 5v3.4m0 2.2v.1",
  ban: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4ZM5 5l10 10",
  check: "m4 10.5 4 4 8-9",
  checkCircle: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4Zm-3.2-7 2.2 2.2 4.2-4.6",
  chevronDown: "m5.5 8 4.5 4.5L14.5 8",
  chevronRight: "m8 5.5 4.5 4.5L8 14.5",
  chevronUpDown: "m6.5 8 3.5-3.5L13.5 8m-7 4 3.5 3.5 3.5-3.5",
  circle: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4Z",
  clock: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4ZM10 6v4.2l2.6 1.6",
  copy: "M7.5 7.5h8v9h-8zM12.5 7.5v-4h-8v9h3",
  database:
    "M3.8 5.2c0-1.2 2.8-2.2 6.2-2.2s6.2 1 6.2 2.2v9.6c0 1.2-2.8 2.2-6.2 2.2s-6.2-1-6.2-2.2V5.2Zm0 0c0 1.2 2.8 2.2 6.2 2.2s6.2-1 6.2-2.2M3.8 10c0 1.2 2.8 2.2 6.2 2.2s6.2-1 6.2-2.2",
  download: "M10 3v9m-3.5-3.5L10 12l3.5-3.5M4 16.2h12",
  history: "M3.2 8A7 7 0 1 1 3 11.4M3 4v4h4m3-1.5v3.7l2.6 1.6",
  inbox: "M3 11.5 5.2 4h9.6L17 11.5V16H3v-4.5Zm0 0h4.2c.2 1.6 1.3 2.4 2.8 2.4s2.600-.8 2.800-2.400H17",
  info: "M10 17.2a7.2 7.2 0 1 0 0-14.4 7.2 7.2 0 0 0 0 14.4ZM10 9.2v4.300m0-7v.1",
  key: "M12.800 11.200a4 4 0 1 0-4-4c0 .4.1.8.2 1.100L3.500 13.800V16.500h3v-2h2v-2l1.600-1.600c.8.300 1.700.3 2.700.3Zm.7-4.700v.1",
  loader: "M10 2.800a7.200 7.200 0 1 1-7.200 7.200",
  lock: "M5 9h10v7.500H5zM7 9V6.500a3 3 0 0 1 6 0V9",
  minus: "M4.500 10h11",
  monitor: "M3 4h14v9H3zM7.500 16.500h5M10 13v3.500",
  moon: "M16.500 11.800A7 7 0 0 1 8.200 3.500a7 7 0 1 0 8.300 8.300Z",
  more: "M5 10v.1M10 10v.1M15 10v.1",
  partial: "M10 17.200a7.200 7.200 0 1 0 0-14.400 7.200 7.200 0 0 0 0 14.400ZM6.800 10h6.400",
  play: "M6 4v12l10-6L6 4Z",
  plus: "M10 4.500v11M4.500 10h11",
  refresh: "M16.500 10a6.500 6.500 0 1 1-1.900-4.600L16.500 7.200m0-4v4h-4",
  search: "M9 14.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11ZM13 13l4 4",
  signOut: "M8 3.500H4v13h4M8.500 10H17m-3.300-3.300L17 10l-3.300 3.300",
  sun: "M10 13.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM10 2v1.500m0 13V18m8-8h-1.500m-13 0H2m13.700-5.700-1.100 1.100m-9.200 9.200-1.100 1.100m11.400 0-1.100-1.100M5.400 5.400 4.300 4.300",
  unplugged:
    "m3 17 3-3m8-8 3-3M7 9l-1.500 1.500a3 3 0 0 0 4.200 4.200L11 13.500m2-2.500 1.500-1.500a3 3 0 0 0-4.200-4.200L9 6.500",
  user: "M10 10a3.200 3.200 0 1 0 0-6.400A3.200 3.200 0 0 0 10 10Zm-6.200 6.800c.5-3 3-4.500 6.200-4.500s5.700 1.500 6.200 4.500",
  x: "m5 5 10 10M15 5 5 15",
  xCircle:
    "M10 17.200a7.200 7.200 0 1 0 0-14.400 7.200 7.200 0 0 0 0 14.400ZM7.400 7.400l5.200 5.200m0-5.200-5.200 5.200",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration: what it says is also said in words beside it, or by the label of its button. */
export function Icon({ name, isSpinning = false, size = 16 }: { name: IconName; isSpinning?: boolean; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className={isSpinning ? `${styles.icon} ${styles.spinning}` : styles.icon}
      fill="none"
      height={size}
      stroke="currentColor"
      strokeLinecap="round"
      strokeLinejoin="round"
      strokeWidth={1.7}
      viewBox="0 0 20 20"
      width={size}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
