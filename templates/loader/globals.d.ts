/** Declared by the line that carries the index, before the bundled code. */
declare const CONFIG: { format: number; release: string; models: Record<string, any[]>; modules?: Record<string, string> };
