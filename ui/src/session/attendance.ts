/** Is anybody before the page? What it asks by itself in a forgotten tab must not keep a session alive. */

const RECENT_MILLISECONDS = 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "focus"] as const;

let lastSign = Date.now(); // somebody has opened it

export function noticeAttendance(target: Pick<EventTarget, "addEventListener">): void {
  for (const sign of SIGNS) {
    target.addEventListener(sign, () => (lastSign = Date.now()), { capture: true, passive: true });
  }
}

export function isAttended(): boolean {
  return Date.now() - lastSign < RECENT_MILLISECONDS;
}
