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

function perChannel(values, channels) {
  if (values.length >= 3) return values;
  return [values[0], values[0], values[0]].slice(0, Math.max(3, channels));
}
