import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components/Modal";
import { Button } from "./Button";
import styles from "./Dialog.module.css";

export interface ConfirmDialogProps {
  isOpen: boolean;
  title: string;
  children: ReactNode;
  /** What the confirming button says: the deed, not "OK". */
  confirm: string;
  cancel?: string;
  isDangerous?: boolean;
  isPending?: boolean;
  /** Nothing is chosen that could be done. */
  isDisabled?: boolean;
  onConfirm: () => void;
  onCancel: () => void;
}

/** Asks before something is done. Escape and a press outside mean no. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const {
    isOpen,
    title,
    children,
    confirm,
    cancel = "Back",
    isDangerous,
    isPending = false,
    isDisabled = false,
  } = props;
  return (
    <ModalOverlay
      className={styles.overlay ?? ""}
      isDismissable={!isPending}
      isOpen={isOpen}
      onOpenChange={(open) => !open && props.onCancel()}
    >
      <Modal className={styles.modal ?? ""}>
        <AriaDialog className={styles.dialog ?? ""} role="alertdialog">
          <Heading className={styles.title ?? ""} slot="title">
            {title}
          </Heading>
          <div className={styles.body}>{children}</div>
          <div className={styles.buttons}>
            <Button isDisabled={isPending} onPress={props.onCancel}>
              {cancel}
            </Button>
            <Button
              isDisabled={isDisabled}
              isPending={isPending}
              onPress={props.onConfirm}
              tone={isDangerous ? "danger" : "primary"}
            >
              {confirm}
            </Button>
          </div>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
