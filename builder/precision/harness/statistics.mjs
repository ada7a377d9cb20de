// Ops that give the statistics of a tensor's channels: its last axis; all other axes are rows.

const rowsTogether = 4096; // longer sums of float32 lose what the last rows add

/** Adds what `product` makes of each run of rows, in doubles; sums by products are ten times as fast as a loop here. */
function sums(tf, rows, size, product) {
  const [count, width] = rows.shape;
  const totals = new Float64Array(size);
  for (let from = 0; from < count; from += rowsTogether) {
    const length = Math.min(rowsTogether, count - from);
    // In a scope that gives nothing back: of an array it would look at every element for tensors.
    tf.tidy(() => {
      const part = product(length < count ? tf.slice(rows, [from, 0], [length, width]) : rows, length).dataSync();
      for (let at = 0; at < size; at++) totals[at] += part[at];
    });
  }
  return totals;
}

function means(tf, rows) {
  const totals = sums(tf, rows, rows.shape[1], (part, length) => tf.matMul(tf.ones([1, length]), part));
  return totals.map((sum) => sum / rows.shape[0]);
}

/** The sum of squares about the means, [width, width]: without them, large means would leave little of what varies. */
function squares(tf, rows, mean) {
  const width = mean.length;
  const varying = tf.sub(rows, tf.tensor(new Float32Array(mean), [1, width]));
  return sums(tf, varying, width * width, (part) => tf.matMul(tf.transpose(part), part));
}

const rowsOf = (tf, tensor) => tf.reshape(tensor, [-1, tensor.shape.at(-1) ?? 1]);

/** Adds the ops ShardpressMeans, [width], and ShardpressSpread: [width, width], the means [width], the rows. */
export function registerStatistics(tf) {
  tf.registerOp("ShardpressMeans", ({ inputs: [tensor] }) => {
    return tf.tidy(() => tf.tensor(new Float32Array(means(tf, rowsOf(tf, tensor)))));
  });
  tf.registerOp("ShardpressSpread", ({ inputs: [tensor] }) => {
    return tf.tidy(() => {
      const rows = rowsOf(tf, tensor);
      const mean = means(tf, rows);
      const about = squares(tf, rows, mean);
      const [count, width] = rows.shape;
      return [
        tf.tensor(new Float32Array(about), [width, width]),
        tf.tensor(new Float32Array(mean)),
        tf.scalar(count, "int32"),
      ];
    });
  });
}
