/** @typedef {"network" | "integrity" | "quota" | "abort" | "manifest" | "runtime" | "contract"} ErrorCode */

/** Every failure of this loader. */
export class ModelError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message what happened and what to do next
   * @param {{ model?: string, url?: string, status?: number, cause?: unknown }} [details]
   */
  constructor(code, message, { model, url, status, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ModelError";
    this.code = code;
    this.model = model;
    this.url = url;
    this.status = status;
  }
}

/**
 * Passes our own errors through and wraps the others.
 *
 * @param {unknown} error
 * @param {ErrorCode} code
 * @param {string} message
 * @param {{ model?: string, url?: string }} [details]
 */
export function asModelError(error, code, message, details) {
  if (error instanceof ModelError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ModelError(code, `${message}: ${reason}`, { ...details, cause: error });
}

/**
 * @param {string} model
 * @param {unknown} [cause]
 */
export const cancelled = (model, cause) => new ModelError("abort", `Loading of ${model} was cancelled`, { model, cause });
