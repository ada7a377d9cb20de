/*! Shardpress spectrograms */

/**
 * Of the head's `audio`, with nothing left open; docs/format.md says what each entry means.
 *
 * @typedef {{ fft: number, frame: number, hop: number, window: "hann" | "hamming" | "blackman" | "none", centre: boolean,
 *   padding: "reflect" | "zeros", power: 1 | 2, mels: number, low: number, high: number, scale: Scale, slopes: "hertz" | "mel",
 *   area: boolean, offset: number, least: number, log: "ln" | "log10" | "db" | "none", span?: number, shift: number,
 *   factor: number, normalise: boolean, layout: "frames" | "mels" }} Mel
 */
/** @typedef {"htk" | "slaney" | "linear"} Scale */

/**
 * Makes what gives the spectrogram of samples: as many frames as there are, each of `mels` numbers.
 *
 * @param {Mel} mel
 * @param {number} rate Hz
 * @returns {(samples: Float64Array) => Float64Array}
 */
export function openMel(mel, rate) {
  const { fft, frame, hop, mels, power } = mel;
  const window = windowOf(mel.window, frame);
  const bands = mel.scale === "linear" ? undefined : filters(mel, rate);
  const transform = openTransform(fft);
  return (samples) => {
    const whole = mel.centre ? padded(samples, frame >> 1, mel.padding === "reflect") : samples;
    const count = Math.max(0, Math.floor((whole.length - frame) / hop) + 1);
    const found = new Float64Array(count * mels);
    const input = new Float64Array(fft);
    const powers = new Float64Array((fft >> 1) + 1);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < frame; j++) input[j] = whole[i * hop + j] * window[j];
      const { re, im } = transform(input);
      for (let k = 0; k < powers.length; k++) {
        const square = re[k] * re[k] + im[k] * im[k];
        powers[k] = power === 2 ? square : Math.sqrt(square);
      }
      for (let band = 0; band < mels; band++) {
        let sum = bands ? 0 : powers[band];
        if (bands) {
          const { start, weights } = bands[band];
          for (let k = 0; k < weights.length; k++) sum += weights[k] * powers[start + k];
        }
        found[i * mels + band] = sum;
      }
    }
    return scaled(found, mel);
  };
}

/** @param {Float64Array} values @param {Mel} mel */
function scaled(values, { log, power, offset, least, span, shift, factor, normalise }) {
  const tens = log === "db" ? 10 * (3 - power) : 1;
  let loudest = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = Math.max(values[i] + offset, least);
    values[i] = log === "none" ? value : log === "ln" ? Math.log(value) : tens * Math.log10(value);
    loudest = Math.max(loudest, values[i]);
  }
  for (let i = 0; i < values.length; i++) values[i] = (Math.max(values[i], loudest - (span ?? Infinity)) + shift) * factor;
  if (normalise) {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
    for (let i = 0; i < values.length; i++) values[i] = (values[i] - mean) / deviation;
  }
  return values;
}

/** @param {Float64Array} samples @param {number} side @param {boolean} reflect */
function padded(samples, side, reflect) {
  const whole = new Float64Array(samples.length + 2 * side);
  whole.set(samples, side);
  if (!reflect) return whole;
  const last = samples.length - 1;
  for (let i = 1; i <= side; i++) [whole[side - i], whole[side + last + i]] = [samples[i], samples[last - i]];
  return whole;
}

/** @param {Mel["window"]} name @param {number} length */
function windowOf(name, length) {
  return Float64Array.from({ length }, (_, i) => {
    const angle = (2 * Math.PI * i) / length;
    if (name === "hann") return 0.5 - 0.5 * Math.cos(angle);
    if (name === "hamming") return 0.54 - 0.46 * Math.cos(angle);
    return name === "blackman" ? 0.42 - 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle) : 1;
  });
}

const edge = 1000; // Hz, from where on Slaney's scale is logarithmic
const step = 200 / 3;
const growth = Math.log(6.4) / 27;

/** @param {number} hertz @param {Scale} scale */
function toMel(hertz, scale) {
  if (scale === "htk") return 2595 * Math.log10(1 + hertz / 700);
  return hertz < edge ? hertz / step : edge / step + Math.log(hertz / edge) / growth;
}

/** @param {number} mels @param {Scale} scale */
function fromMel(mels, scale) {
  if (scale === "htk") return 700 * (10 ** (mels / 2595) - 1);
  return mels < edge / step ? mels * step : edge * Math.exp(growth * (mels - edge / step));
}

/**
 * The triangle of each band, from the first frequency that counts.
 *
 * @param {Mel} mel
 * @param {number} rate
 */
function filters({ fft, mels, low, high, scale, slopes, area }, rate) {
  const [from, to] = [toMel(low, scale), toMel(high, scale)];
  const marks = Array.from({ length: mels + 2 }, (_, i) => from + ((to - from) * i) / (mels + 1));
  const hertz = marks.map((mark) => fromMel(mark, scale));
  const corners = slopes === "mel" ? marks : hertz;
  const places = Array.from({ length: (fft >> 1) + 1 }, (_, k) => (slopes === "mel" ? toMel((k * rate) / fft, scale) : (k * rate) / fft));
  return Array.from({ length: mels }, (_, band) => {
    const [left, middle, right] = corners.slice(band, band + 3);
    const times = area ? 2 / (hertz[band + 2] - hertz[band]) : 1;
    const all = places.map((place) => Math.max(0, Math.min((place - left) / (middle - left), (right - place) / (right - middle))) * times);
    const start = Math.max(0, all.findIndex((weight) => weight > 0));
    return { start, weights: all.slice(start).filter((weight) => weight > 0) }; // a triangle has no gap
  });
}

/**
 * Makes a Fourier transform of any length: by its smallest factors, one after the other.
 *
 * @param {number} length
 * @returns {(input: Float64Array) => { re: Float64Array, im: Float64Array }}
 */
function openTransform(length) {
  const cos = Float64Array.from({ length }, (_, i) => Math.cos((2 * Math.PI * i) / length));
  const sin = Float64Array.from({ length }, (_, i) => -Math.sin((2 * Math.PI * i) / length));
  const [re, im, wideRe, wideIm] = Array.from({ length: 4 }, () => new Float64Array(length));
  /**
   * Writes the transform of every `stride`th number behind `out`.
   *
   * @param {Float64Array} input
   * @param {number} from
   * @param {number} stride
   * @param {number} count
   * @param {number} out
   */
  const part = (input, from, stride, count, out) => {
    if (count === 1) return void ([re[out], im[out]] = [input[from], 0]);
    let radix = 2;
    while (count % radix) radix++;
    const inner = count / radix;
    for (let q = 0; q < radix; q++) part(input, from + q * stride, stride * radix, inner, out + q * inner);
    for (let k = 0; k < count; k++) {
      let [sumRe, sumIm] = [0, 0];
      for (let q = 0, turn = 0; q < radix; q++, turn = (turn + k * stride) % length) {
        const at = out + q * inner + (k % inner);
        sumRe += re[at] * cos[turn] - im[at] * sin[turn];
        sumIm += re[at] * sin[turn] + im[at] * cos[turn];
      }
      [wideRe[k], wideIm[k]] = [sumRe, sumIm];
    }
    re.set(wideRe.subarray(0, count), out);
    im.set(wideIm.subarray(0, count), out);
  };
  return (input) => {
    part(input, 0, 1, length, 0);
    return { re, im };
  };
}
