/** Development only: what a build failed with, over the page. */

/** @import { State } from "./client.js" */

const css = `
  :host { all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647; color-scheme: light dark; }
  section { box-sizing: border-box; max-height: 60vh; overflow: auto; padding: 16px 20px; border-top: 4px solid #c62828;
    background: #fff4f4; color: #2b0b0b; font: 15px/1.45 system-ui, sans-serif; box-shadow: 0 -4px 24px #0006; }
  @media (prefers-color-scheme: dark) { section { background: #2a1414; color: #ffe3e3; } }
  h1 { margin: 0 0 8px; font-size: 16px; } p { margin: 4px 0; } article + article { margin-top: 12px; }
  code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
  button { float: right; font: inherit; }
`;

/**
 * Lays what failed over the page, or takes it away.
 *
 * @param {State} state
 */
export function showErrors({ errors, served }) {
  document.querySelector("shardpress-errors")?.remove();
  if (!errors.length) return;
  const host = document.createElement("shardpress-errors");
  const root = host.attachShadow({ mode: "open" });
  const style = root.appendChild(document.createElement("style"));
  style.textContent = css;
  const section = root.appendChild(document.createElement("section"));
  section.setAttribute("role", "alert");
  const button = section.appendChild(document.createElement("button"));
  button.textContent = "Hide";
  button.addEventListener("click", () => host.remove());
  section.appendChild(document.createElement("h1")).textContent = served ? "The build failed; the page shows the last good one" : "The build failed";
  for (const { model, code, what, where, hint } of errors) {
    const article = section.appendChild(document.createElement("article"));
    const place = article.appendChild(document.createElement("code"));
    place.textContent = [model && `model ${model}`, where].filter(Boolean).join(": ");
    article.appendChild(document.createElement("p")).textContent = `${what}.${code ? ` [${code}]` : ""}`;
    if (hint) article.appendChild(document.createElement("p")).textContent = `→ ${hint}${hint.endsWith("?") ? "" : "."}`;
  }
  document.documentElement.append(host);
}
