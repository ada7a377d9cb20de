// Ops that give the statistics of a tensor's channels: its last axis; all other axes are rows.

const rowsTogether = 4096; // longer sums of float32 lose what the last rows add

/** The means of channels. */
function means(values, width) {
  const sums = new Float64Array(width);
  for (let at = 0; at < values.length; ) for (let channel = 0; channel < width; channel++) sums[channel] += values[at++];
  return sums.map((sum) => sum / (values.length / width));
}

/** The sum of squares about the means, [width, width]: without them, large means would leave little of what varies. */
function squares(tf, tensor, mean) {
  const width = mean.length;
  const totals = new Float64Array(width * width);
  tf.tidy(() => {
    const rows = tf.sub(tf.reshape(tensor, [-1, width]), tf.tensor(new Float32Array(mean), [1, width]));
    const turned = tf.transpose(rows);
    const count = rows.shape[0];
    for (let from = 0; from < count; from += rowsTogether) {
      const size = Math.min(rowsTogether, count - from);
      // In a scope that gives nothing back: of an array it would look at every element for tensors.
      tf.tidy(() => {
        const product = tf.matMul(tf.slice(turned, [0, from], [width, size]), tf.slice(rows, [from, 0], [size, width]));
        const part = product.dataSync();
        for (let at = 0; at < part.length; at++) totals[at] += part[at];
      });
    }
  });
  return totals;
}

/** Adds the ops ShardpressMeans, [width], and ShardpressSpread: [width, width], the means [width], the rows. */
export function registerStatistics(tf) {
  const widthOf = (tensor) => tensor.shape.at(-1) ?? 1;
  tf.registerOp("ShardpressMeans", ({ inputs: [tensor] }) => {
    return tf.tensor(new Float32Array(means(tensor.dataSync(), widthOf(tensor))));
  });
  tf.registerOp("ShardpressSpread", ({ inputs: [tensor] }) => {
    const width = widthOf(tensor);
    const mean = means(tensor.dataSync(), width);
    const about = squares(tf, tensor, mean);
    return [
      tf.tensor(new Float32Array(about), [width, width]),
      tf.tensor(new Float32Array(mean)),
      tf.scalar(tensor.size / width, "int32"),
    ];
  });
}
