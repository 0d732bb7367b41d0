import { useId, useState } from "react";
import { Form } from "react-aria-components/Form";
import { ProblemError } from "~/api/problem";
import type { Session } from "~/api/types";
import { Brand } from "~/components/Brand";
import { Button } from "~/components/Button";
import { Callout } from "~/components/Callout";
import { Icon } from "~/components/Icon";
import { TextField } from "~/components/TextField";
import { ThemeToggle } from "~/components/ThemeToggle";
import styles from "./SignInPage.module.css";
import { useSignIn } from "./useSession";

/** Stands in the place of the page, under its URL: after signing in one is where one wanted to be. */
export function SignInPage({ session }: { session: Session }) {
  const heading = useId();
  const { single_sign_on, has_passwords } = session;
  return (
    <div className={styles.page}>
      <title>Sign in – Data Loader</title>
      <main aria-labelledby={heading} className={styles.card}>
        <Brand isLarge />
        <h1 className={styles.title} id={heading}>
          Sign in
        </h1>
        {has_passwords && <PasswordForm />}
        {has_passwords && single_sign_on && <p className={styles.or}>or</p>}
        {single_sign_on && (
          <a className={styles.sso} href={`${single_sign_on.url}?next=${encodeURIComponent(currentPlace())}`}>
            <Icon name="key" />
            Sign in with {single_sign_on.name}
          </a>
        )}
        {!has_passwords && !single_sign_on && (
          <Callout tone="danger">
            No way to sign in is configured. The administrator of this page has to add one.
          </Callout>
        )}
      </main>
      <footer>
        <ThemeToggle />
      </footer>
    </div>
  );
}

function PasswordForm() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  return (
    <Form
      className={styles.form ?? ""}
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate({ name, password });
      }}
    >
      <div className={styles.refusal} role="alert">
        {signIn.error && <Callout tone="danger">{reason(signIn.error)}</Callout>}
      </div>
      <TextField
        autoComplete="username"
        autoFocus
        isRequired
        label="Name"
        name="name"
        onChange={setName}
        value={name}
      />
      <TextField
        autoComplete="current-password"
        isRequired
        label="Password"
        name="password"
        onChange={setPassword}
        type="password"
        value={password}
      />
      <Button isDisabled={!name || !password} isPending={signIn.isPending} tone="primary" type="submit">
        Sign in
      </Button>
    </Form>
  );
}

function reason(error: Error): string {
  if (!(error instanceof ProblemError)) return "The server does not answer. Try again in a moment.";
  if (error.code === "bad_credentials") return "Name or password is wrong.";
  return [error.problem.detail, error.problem.next_step].filter(Boolean).join(" – ");
}

function currentPlace(): string {
  return location.pathname + location.search;
}
