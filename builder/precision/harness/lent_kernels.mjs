// Kernels that one backend lacks, lent by another: what goes in and comes out is copied.

/** Registers each kernel of the backend `lender` that `borrower`, which is in use, does not have. */
export function lendKernels(tf, lender, borrower) {
  const own = new Set(tf.getKernelsForBackend(borrower).map(({ kernelName }) => kernelName));
  for (const kernel of tf.getKernelsForBackend(lender)) {
    if (own.has(kernel.kernelName)) continue;
    const kernelFunc = (call) => runThere(tf.findBackend(lender), kernel.kernelFunc, call);
    tf.registerKernel({ kernelName: kernel.kernelName, backendName: borrower, kernelFunc });
  }
}

function runThere(there, kernelFunc, { inputs, attrs, backend: here }) {
  const copied = (from, to, { dataId, shape, dtype }) => ({ dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype });
  // Inputs may be left out, as a bias.
  const given = Object.entries(inputs).map(([name, info]) => [name, info && copied(here, there, info)]);
  const all = Array.isArray(inputs) ? given.map(([, info]) => info) : Object.fromEntries(given);
  const found = [kernelFunc({ inputs: all, attrs, backend: there })].flat();
  const results = found.map((info) => copied(there, here, info));
  for (const info of [...given.map(([, item]) => item), ...found]) if (info) there.disposeData(info.dataId);
  return results.length === 1 ? results[0] : results;
}
