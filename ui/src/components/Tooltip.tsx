import type { ReactElement } from "react";
import { OverlayArrow, Tooltip, TooltipTrigger } from "react-aria-components/Tooltip";
import styles from "./Tooltip.module.css";

/** `children`: what can be focused, so that the keyboard finds the tip too. */
export function Tip({ text, children }: { text: string; children: ReactElement }) {
  return (
    <TooltipTrigger closeDelay={80} delay={400}>
      {children}
      <Tooltip className={styles.tooltip ?? ""} offset={8}>
        <OverlayArrow>
          <svg aria-hidden="true" className={styles.arrow} height={6} viewBox="0 0 12 6" width={12}>
            <path d="M0 0h12L6 6Z" />
          </svg>
        </OverlayArrow>
        {text}
      </Tooltip>
    </TooltipTrigger>
  );
}
