// What goes on in this process: said aloud, so that silence means that nothing does.

import { writeSync } from "node:fs";

/** Says that something goes on. */
export const alive = (step) => writeSync(1, `${step}\n`);

/** What runs now; the kernel alone outlives a failure. `cost` counts what it takes, if that is asked. */
export const running = { kernel: "", cost: undefined };

/** What is under way: when nothing can go on any more, the stage that waits forever is named. */
export const watch = { out: null, result: null, stage: "", checkMemory: () => {} };

/** Frees what is no longer held at once: Node lets the memory of large arrays pile up. */
export const collect = () => globalThis.gc?.();
