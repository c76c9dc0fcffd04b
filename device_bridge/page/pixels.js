/**
 * Pixels to tensor and back, as the offer's picture formats say: x = u8 * scale + bias for each
 * channel, and u8 = y * scale + bias, rounded and clipped.
 */

/**
 * @param {Uint8ClampedArray} rgba pixels, 4 bytes each
 * @param {Float32Array} tensor (1, C, H, W), written
 * @param {{scale: number[], bias: number[]}} format one value, or one a channel
 * @param {number} channels 1 or 3
 */
export function toTensor(rgba, tensor, format, channels) {
  const count = tensor.length / channels;
  const scale = perChannel(format.scale, channels);
  const bias = perChannel(format.bias, channels);
  if (channels === 1) {
    for (let i = 0, p = 0; i < count; i++, p += 4) {
      const grey = 0.299 * rgba[p] + 0.587 * rgba[p + 1] + 0.114 * rgba[p + 2];
      tensor[i] = grey * scale[0] + bias[0];
    }
    return;
  }
  const [s0, s1, s2] = scale;
  const [b0, b1, b2] = bias;
  const blue = 2 * count;
  for (let i = 0, p = 0; i < count; i++, p += 4) {
    tensor[i] = rgba[p] * s0 + b0;
    tensor[count + i] = rgba[p + 1] * s1 + b1;
    tensor[blue + i] = rgba[p + 2] * s2 + b2;
  }
}

/**
 * @param {Float32Array} tensor (1, C, H, W)
 * @param {Uint8ClampedArray} rgba written; the array itself rounds and clips
 * @param {{scale: number[], bias: number[]}} format
 * @param {number} channels 1 or 3
 */
export function toPixels(tensor, rgba, format, channels) {
  const count = tensor.length / channels;
  const scale = perChannel(format.scale, channels);
  const bias = perChannel(format.bias, channels);
  const second = channels === 3 ? count : 0;
  const third = channels === 3 ? 2 * count : 0;
  const [s0, s1, s2] = scale;
  const [b0, b1, b2] = bias;
  for (let i = 0, p = 0; i < count; i++, p += 4) {
    rgba[p] = tensor[i] * s0 + b0;
    rgba[p + 1] = tensor[second + i] * s1 + b1;
    rgba[p + 2] = tensor[third + i] * s2 + b2;
    rgba[p + 3] = 255;
  }
}

/**
 * A smaller picture: each new pixel is the mean of what it covers.
 * @param {Float32Array} tensor (1, C, H, W)
 * @param {number[]} from H and W
 * @param {number[]} to H and W, not larger
 * @returns {Float32Array} (1, C, *to)
 */
export function shrunk(tensor, [high, wide], [rows, columns]) {
  const channels = tensor.length / (high * wide);
  const across = covers(wide, columns);
  const down = covers(high, rows);
  const narrow = new Float32Array(channels * high * columns);
  for (let row = 0; row < channels * high; row++) {
    for (let x = 0; x < columns; x++) {
      const { first, shares } = across[x];
      let sum = 0;
      for (let i = 0; i < shares.length; i++) sum += shares[i] * tensor[row * wide + first + i];
      narrow[row * columns + x] = sum;
    }
  }
  const out = new Float32Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < rows; y++) {
      const { first, shares } = down[y];
      const to = (c * rows + y) * columns;
      for (let i = 0; i < shares.length; i++) {
        const at = (c * high + first + i) * columns;
        for (let x = 0; x < columns; x++) out[to + x] += shares[i] * narrow[at + x];
      }
    }
  }
  return out;
}

/** Which of `from` values each of `to` covers, and in which shares. */
function covers(from, to) {
  const step = from / to;
  return Array.from({ length: to }, (_, n) => {
    const [begin, end] = [n * step, Math.min(from, (n + 1) * step)];
    const first = Math.floor(begin);
    const shares = [];
    for (let i = first; i < end; i++) {
      shares.push((Math.min(end, i + 1) - Math.max(begin, i)) / (end - begin));
    }
    return { first, shares };
  });
}

function perChannel(values, channels) {
  if (values.length >= 3) return values;
  return [values[0], values[0], values[0]].slice(0, Math.max(3, channels));
}
