import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import type { ValidationExample } from "~/api/types";
import { ExampleList } from "./ExampleList";

const example = (kind: string, ordinal: number): ValidationExample => ({
  kind,
  path: "/changed_at",
  message: "is no instant",
  sample_value: '"yesterday"',
  source_id: "7",
  batch_index: 0,
  ordinal,
});

it("an example says which of the three kinds its fault is of", () => {
  render(<ExampleList examples={[example("required", 1), example("shape", 2), example("instant", 3)]} />);
  expect(screen.getAllByText(/^(Required|Shape|Instant)$/).map((kind) => kind.textContent)).toEqual([
    "Required",
    "Shape",
    "Instant",
  ]);
});
