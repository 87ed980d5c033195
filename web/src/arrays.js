// Binary arrays: NumPy's .npy and .npz, and safetensors. Pickled objects are refused.

import { unzipSync } from "fflate";
import { ShownError } from "./clip.js";

const KINDS = {
  f4: Float32Array,
  f8: Float64Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
};
const MOST_UNPACKED = 2 ** 29;

/** The array in the bytes of a .npy file: `{shape, values}`; texts are an array of strings. */
export function readNpy(bytes, name = "array") {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (!magic.every((byte, place) => bytes[place] === byte)) throw new ShownError(`${name} is no NumPy array.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] >= 2;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(long ? 12 : 10, start));
  const kind = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  if (!kind || !shape)
    throw new ShownError(
      `${name}: expected numbers or text; pickled objects are refused. Save plain arrays by numpy.savez.`,
    );
  const sizes = shape[1]
    .split(",")
    .filter((text) => text.trim())
    .map(Number);
  const count = sizes.reduce((product, size) => product * size, 1);
  const values = decoded(bytes.slice(start), kind[1], kind[2], Number(kind[3]), count, name);
  const fortran = /'fortran_order':\s*True/.test(header);
  return { shape: sizes, values: fortran ? inRows(values, sizes) : values };
}

function decoded(data, order, letter, size, count, name) {
  const width = letter === "U" ? 4 * size : size;
  if (data.length !== count * width)
    throw new ShownError(
      `${name}: ${data.length} bytes do not fill ${count} entries of ${width}; the file is cut off.`,
    );
  if (letter === "U") return texts(new DataView(data.buffer), order === ">", size, count);
  if (letter === "b") return Array.from(data, Number);
  if ((letter === "i" || letter === "u") && size === 8) {
    const view = new DataView(data.buffer);
    return Array.from({ length: count }, (_, at) =>
      Number(letter === "i" ? view.getBigInt64(8 * at, order !== ">") : view.getBigUint64(8 * at, order !== ">")),
    );
  }
  if (letter === "f" && size === 2) return Array.from(new Uint16Array(data.buffer), halfToNumber);
  const Kind = KINDS[`${letter}${size}`];
  if (!Kind) throw new ShownError(`${name}: arrays of type ${letter}${size} are not read; save it as float32.`);
  if (order === ">") for (let at = 0; at < data.length; at += size) data.subarray(at, at + size).reverse();
  return new Kind(data.buffer, 0, count);
}

function texts(view, big, size, count) {
  return Array.from({ length: count }, (_, row) => {
    let text = "";
    for (let at = 0; at < size; at++) {
      const code = view.getUint32(4 * (row * size + at), !big);
      if (code) text += String.fromCodePoint(code);
    }
    return text;
  });
}

/** Values in Fortran order as rows. */
function inRows(values, shape) {
  const found = values.slice();
  const strides = [];
  let stride = 1;
  for (const size of shape) (strides.push(stride), (stride *= size));
  for (let at = 0; at < found.length; at++) {
    let rest = at;
    let place = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    found[at] = values[place];
  }
  return found;
}

/** The arrays of a .npz by name; a stated size beyond `MOST_UNPACKED` is refused. */
export function readNpz(bytes) {
  let total = 0;
  let packed;
  try {
    packed = unzipSync(bytes, {
      filter: (file) => {
        total += file.originalSize;
        if (total > MOST_UNPACKED)
          throw new ShownError("The archive unpacks to more than 512 MB; split the recording.");
        return file.name.endsWith(".npy");
      },
    });
  } catch (error) {
    if (error instanceof ShownError) throw error;
    throw new ShownError(
      `This .npz cannot be unpacked (${error.message}); it is cut off or no archive. Copy it again.`,
    );
  }
  return Object.fromEntries(
    Object.entries(packed).map(([name, content]) => [name.replace(/\.npy$/, ""), () => readNpy(content, name)]),
  );
}

/** The tensors of a safetensors file as Float32Arrays with their shape. */
export function readSafetensors(buffer, name = "safetensors") {
  const view = new DataView(buffer);
  const length = buffer.byteLength > 8 ? Number(view.getBigUint64(0, true)) : Infinity;
  if (length > buffer.byteLength - 8) throw new ShownError(`${name} is cut off; copy the model folder again.`);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const found = {};
  for (const [key, entry] of Object.entries(header)) {
    if (key === "__metadata__") continue;
    const [start, end] = entry.data_offsets;
    if (8 + length + end > buffer.byteLength) throw new ShownError(`${name} is cut off; copy the model folder again.`);
    const bytes = buffer.slice(8 + length + start, 8 + length + end);
    if (entry.dtype !== "F32" && entry.dtype !== "F16")
      throw new ShownError(`${name}: ${key} has type ${entry.dtype}; expected F32 or F16.`);
    const values =
      entry.dtype === "F32" ? new Float32Array(bytes) : Float32Array.from(new Uint16Array(bytes), halfToNumber);
    found[key] = { shape: entry.shape, values };
  }
  return found;
}

/** The number of 16 bits of a half-precision float. */
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}
