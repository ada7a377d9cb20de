import type { Plugin } from "vite";

export interface OfflineOptions {
  /** The worker's file in the build folder (`sw.js`). Its folder is what it can serve. */
  file?: string;
  /** Globs of the files that make the site, below the build folder; `*`, `**`, `?` and `{a,b}`. */
  include?: string[];
  /** Globs of files to leave out of it; source maps and the bundle always are. */
  exclude?: string[];
  /** The page that answers for all routes of a single-page app (`index.html`), or false where each route has a page. */
  fallback?: string | false;
}

export interface Options {
  /** Settings of the models' build, from Vite's root (`build.toml`). */
  config?: string;
  /** Folder that `shardpress` writes to, from Vite's root; by default the one that `build.toml` names. */
  dist?: string;
  /**
   * Where pages find the bundle: a folder of the site (`models/`), to which `vite build` copies it, or the address of a
   * bundle that `shardpress deploy` has published, which is then used as it is.
   */
  base?: string;
  /** Whether pages that reach models of the policy `now` get preload lines for them (true). */
  preload?: boolean;
  /** Whether `vite build` writes a service worker that opens the site without a network (false). */
  offline?: boolean | OfflineOptions;
}

/** Makes the package of models, as `[build] package` names it, an import that needs no installation and no `configure({ baseUrl })`. */
export default function shardpress(options?: Options): Plugin;
