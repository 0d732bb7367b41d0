import { useEffect, useState } from "react";
import { announce } from "./announcements";
import { IconButton } from "./Button";

const SHOWN_MILLISECONDS = 1600;

/** `what` is said: `Copy run id`. Absent where the browser has no clipboard for pages without TLS. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  if (!navigator.clipboard) return null;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true);
        announce("Copied");
      },
      () => announce("The browser did not allow copying", "assertive"),
    );
  return (
    <IconButton
      icon={isCopied ? "check" : "copy"}
      isSmall
      label={isCopied ? "Copied" : `Copy ${what}`}
      onPress={() => void copy()}
    />
  );
}
