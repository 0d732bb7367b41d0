import type { ValidationExample } from "~/api/types";
import { Expandable } from "~/components/Expandable";
import { count } from "~/i18n/numbers";
import styles from "./ExampleList.module.css";

const KINDS: Readonly<Record<string, string>> = { required: "Required", shape: "Shape", instant: "Instant" };

interface ExampleListProps {
  examples: readonly ValidationExample[];
  /** Absent inside of a batch, which says it already. */
  onBatch?: ((index: number) => void) | undefined;
}

export function ExampleList({ examples, onBatch }: ExampleListProps) {
  return (
    <ol className={styles.list}>
      {examples.map((example) => (
        <Example
          example={example}
          key={`${example.batch_index} ${example.ordinal} ${example.kind} ${example.path}`}
          onBatch={onBatch}
        />
      ))}
    </ol>
  );
}

function Example({ example, onBatch }: { example: ValidationExample; onBatch: ExampleListProps["onBatch"] }) {
  return (
    <li className={styles.example}>
      <p className={styles.head}>
        <span className={styles.kind}>{KINDS[example.kind] ?? example.kind}</span>
        <code className={styles.path}>{example.path || "/"}</code>
        <span className={styles.message}>{example.message}</span>
      </p>
      <dl className={styles.facts}>
        <Fact name="Value">
          {example.sample_value === null ? (
            <span className={styles.absent}>absent</span>
          ) : (
            <Expandable isMono limit={120} text={example.sample_value} />
          )}
        </Fact>
        {example.source_id !== null && (
          <Fact name="Source id">
            <code>{example.source_id}</code>
          </Fact>
        )}
        <Fact name="Row">{count(example.ordinal)}</Fact>
        {onBatch && (
          <Fact name="Batch">
            <button className={styles.link} onClick={() => onBatch(example.batch_index)} type="button">
              {count(example.batch_index)}
            </button>
          </Fact>
        )}
      </dl>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className={styles.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
