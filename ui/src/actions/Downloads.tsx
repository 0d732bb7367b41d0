import { Dialog, DialogTrigger, Popover } from "react-aria-components/Popover";
import { Button } from "~/components/Button";
import styles from "./Actions.module.css";

export interface Download {
  readonly href: string;
  readonly title: string;
  readonly file: string;
}

/** Files are streamed by the API: the browser saves them as they come. */
export function Downloads({
  label,
  items,
  isSmall = false,
}: {
  label: string;
  items: readonly Download[];
  isSmall?: boolean;
}) {
  return (
    <DialogTrigger>
      <Button icon="download" isSmall={isSmall}>
        {label}
      </Button>
      <Popover className={styles.popover ?? ""} placement="bottom end">
        <Dialog aria-label={label} className={styles.menu ?? ""}>
          {({ close }) =>
            items.map(({ href, title, file }) => (
              <a className={styles.item} download={file} href={href} key={href} onClick={close}>
                {title}
              </a>
            ))
          }
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
