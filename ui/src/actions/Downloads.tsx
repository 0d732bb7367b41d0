import { Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components/Menu";
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
    <MenuTrigger>
      <Button icon="download" isSmall={isSmall}>
        {label}
      </Button>
      <Popover className={styles.popover ?? ""} placement="bottom end">
        <Menu className={styles.menu ?? ""}>
          {items.map(({ href, title, file }) => (
            <MenuItem className={styles.item ?? ""} download={file} href={href} id={href} key={href} textValue={title}>
              {title}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
