import { Button as AriaButton } from "react-aria-components/Button";
import { Dialog, DialogTrigger, Popover } from "react-aria-components/Popover";
import { Button } from "~/components/Button";
import { Icon } from "~/components/Icon";
import { toast } from "~/components/toasts";
import styles from "./UserMenu.module.css";
import { useSignOut, useUser } from "./useSession";

/** `hasSignIn` false: whoever reaches the page is let in, and cannot leave. */
export function UserMenu({ hasSignIn }: { hasSignIn: boolean }) {
  const user = useUser();
  const signOut = useSignOut();
  if (!user) return null;
  const leave = () =>
    signOut.mutate(undefined, {
      onError: (error) => toast({ tone: "danger", title: "Still signed in", description: error.message }),
    });
  return (
    <DialogTrigger>
      <AriaButton className={styles.trigger ?? ""}>
        <span aria-hidden="true" className={styles.avatar}>
          {initials(user.name)}
        </span>
        <span className="visually-hidden">User</span>
        <span className={styles.name}>{user.name}</span>
        <Icon name="chevronDown" size={14} />
      </AriaButton>
      <Popover className={styles.popover ?? ""} placement="bottom end">
        <Dialog aria-label="User" className={styles.dialog ?? ""}>
          <div>
            <p className={styles.full}>{user.name}</p>
            <p className={styles.role}>{user.role === "operator" ? "Operator" : "Viewer: looks, starts nothing"}</p>
          </div>
          {hasSignIn && (
            <Button icon="signOut" isPending={signOut.isPending} onPress={leave}>
              Sign out
            </Button>
          )}
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function initials(name: string): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return (words.length > 1 ? `${words[0]?.[0]}${words[1]?.[0]}` : name.slice(0, 2)).toUpperCase();
}
