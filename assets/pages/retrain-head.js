/** A last layer of the visitor's own: learned from features of a frozen network, kept on the device, saved as files. */

/**
 * @typedef {{ names: string[], model: any }} Head
 * @typedef {{ features: Float32Array, kind: number }} Example
 * @typedef {{ epoch: number, epochs: number, seen: number, unseen: number | undefined }} Progress shares of right answers:
 *   on the pictures learned from, and on those kept aside (if there are enough)
 */

const place = "indexeddb://shardpress-retrained";
const note = "shardpress-retrained";
const epochs = 40;
const rate = 0.003;
/** Every fourth picture of a class with as many is kept aside for judging. */
const aside = 4;

/**
 * Splits examples into those to learn from and those kept aside.
 *
 * @param {Example[]} examples
 * @returns {[Example[], Example[]]}
 */
function split(examples) {
  /** @type {Map<number, number>} */
  const count = new Map();
  /** @type {[Example[], Example[]]} */
  const parts = [[], []];
  for (const example of examples) {
    const number = (count.get(example.kind) ?? 0) + 1;
    count.set(example.kind, number);
    parts[number % aside === 0 ? 1 : 0].push(example);
  }
  return parts;
}

/**
 * Learns a new last layer.
 *
 * @param {any} tf
 * @param {string[]} names of the classes
 * @param {Example[]} examples
 * @param {(progress: Progress) => void} tell
 * @returns {Promise<Head>}
 */
export async function train(tf, names, examples, tell) {
  const [seen, unseen] = split(examples);
  const width = examples[0].features.length;
  const layer = tf.layers.dense({ units: names.length, activation: "softmax", inputShape: [width], name: "classes" });
  const model = tf.sequential({ name: "retrained", layers: [layer] });
  model.compile({ optimizer: tf.train.adam(rate), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  /** @param {Example[]} list */
  const tensors = (list) => [
    tf.tensor2d(list.flatMap(({ features }) => Array.from(features)), [list.length, width]),
    tf.tidy(() => tf.oneHot(tf.tensor1d(list.map(({ kind }) => kind), "int32"), names.length).toFloat()),
  ];
  const [x, y] = tensors(seen);
  const validationData = unseen.length ? tensors(unseen) : undefined;
  try {
    await model.fit(x, y, {
      epochs,
      batchSize: 16,
      shuffle: true,
      validationData,
      callbacks: {
        onEpochEnd: (/** @type {number} */ epoch, /** @type {Record<string, number>} */ { acc, val_acc: kept }) =>
          tell({ epoch: epoch + 1, epochs, seen: acc, unseen: kept }),
      },
    });
  } finally {
    tf.dispose([x, y, validationData ?? []]);
  }
  model.setUserDefinedMetadata({ names });
  return { names, model };
}

/**
 * Gives how sure the head is of each class.
 *
 * @param {any} tf
 * @param {Head} head
 * @param {Float32Array} features
 * @returns {Promise<Float32Array>}
 */
export async function classify(tf, { model }, features) {
  const scores = tf.tidy(() => model.predict(tf.tensor2d(features, [1, features.length])));
  try {
    return await scores.data();
  } finally {
    scores.dispose();
  }
}

/**
 * Keeps a head on this device, for the next visit.
 *
 * @param {Head} head
 */
export async function keep({ model, names }) {
  await model.save(place);
  localStorage.setItem(note, JSON.stringify(names));
}

/** Tells whether a head is kept here; asks for nothing of TensorFlow.js. */
export function isKept() {
  try {
    return localStorage.getItem(note) !== null;
  } catch {
    return false;
  }
}

/**
 * Gives the head that is kept here.
 *
 * @param {any} tf
 * @returns {Promise<Head>}
 */
export async function restore(tf) {
  const model = await tf.loadLayersModel(place);
  return { model, names: model.getUserDefinedMetadata().names };
}

/** @param {any} tf */
export async function forget(tf) {
  localStorage.removeItem(note);
  await tf.io.removeModel(place);
}
