import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Session } from "~/api/types";
import { Brand } from "~/components/Brand";
import { ThemeToggle } from "~/components/ThemeToggle";
import { UserMenu } from "~/session/UserMenu";
import { ConnectionBanner } from "./ConnectionBanner";
import styles from "./Frame.module.css";

/** What stands around every page: brand, theme, user, and whether the server is there. */
export function Frame({ session, children }: { session: Session; children: ReactNode }) {
  const hasSignIn = session.has_passwords || session.single_sign_on !== null;
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#content">
        Skip to the content
      </a>
      <header className={styles.bar}>
        <Link className={styles.home} search={{}} to="/etl/data-loader">
          <span className="visually-hidden">Data Loader, start</span>
          <span aria-hidden="true">
            <Brand />
          </span>
        </Link>
        <div className={styles.end}>
          <ThemeToggle />
          <UserMenu hasSignIn={hasSignIn} />
        </div>
      </header>
      <ConnectionBanner />
      <main className={styles.main} id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}
