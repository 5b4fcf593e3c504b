// Requests to the house. A refusal is a Problem; silence is a NoAnswer.

const PATIENCE_MS = 10_000;

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? "The house refused this.");
    this.status = status;
    this.code = body.code ?? "";
    this.body = body;
  }
}

export class NoAnswer extends Error {}

/** Ask the house; the answer's body. Throws Problem or NoAnswer. */
export async function ask(path, { method = "GET", body, headers = {}, patience = PATIENCE_MS } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(patience),
    });
  } catch (error) {
    throw new NoAnswer("The house did not answer.", { cause: error });
  }
  return read(answer);
}

async function read(answer) {
  if (answer.status === 204) return null;
  let body = null;
  try {
    body = await answer.json();
  } catch {
    if (answer.ok) throw new NoAnswer("The answer was cut off.");
  }
  if (!answer.ok) throw new Problem(answer.status, body ?? {});
  return body;
}

/** A snapshot that is read again and again; unchanged ones are not sent twice. */
export function watched(path) {
  let etag = null;
  return async () => {
    let answer;
    try {
      answer = await fetch(path, {
        headers: { accept: "application/json", ...(etag ? { "if-none-match": etag } : {}) },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      throw new NoAnswer("The house did not answer.", { cause: error });
    }
    if (answer.status === 304) return null;
    const body = await read(answer);
    etag = answer.headers.get("etag");
    return body;
  };
}

/** A random key; `randomUUID` exists only where the page came over HTTPS or from this machine. */
export function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
