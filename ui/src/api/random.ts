/** Of `crypto.getRandomValues`: `crypto.randomUUID` is missing where the page comes without TLS from another machine. */
export function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
