// What a model failed with, and at which stage.

/** An error's message with those of its causes. */
export function wholeMessage(error) {
  const parts = [];
  for (let at = error; at !== undefined && at !== null && parts.length < 5; at = at.cause) {
    const text = at.message || String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
  }
  return parts.join(": ");
}

export class Failure extends Error {
  constructor(stage, cause) {
    super(wholeMessage(cause), { cause });
    this.stage = stage;
    this.code = typeof cause?.code === "string" ? cause.code : null;
  }
}

/** Runs `action`; what it throws becomes a failure of `stage`. */
export async function during(stage, action) {
  try {
    return await action();
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(stage, error);
  }
}
