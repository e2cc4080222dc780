// Puts finished pictures into one zip, stored as they are: they are compressed already.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function checksum(bytes) {
  let c = ~0;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

function record(signature, fields) {
  const view = new DataView(new ArrayBuffer(4 + fields.reduce((sum, [size]) => sum + size, 0)));
  view.setUint32(0, signature, true);
  let at = 4;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return view.buffer;
}

/** A zip of [name, Blob] pairs, as a Blob; names that come twice are numbered. */
export async function zipped(entries) {
  const [parts, index, taken] = [[], [], new Set()];
  let at = 0;
  for (const [wanted, blob] of entries) {
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = wanted.replace(/(\.[^.]*)?$/, ` (${n})$1`);
    taken.add(name);
    const title = new TextEncoder().encode(name);
    const sum = checksum(new Uint8Array(await blob.arrayBuffer()));
    const UTF8 = 0x0800;
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, sum], [4, blob.size], [4, blob.size], [2, title.length], [2, 0]];
    parts.push(record(0x04034b50, common), title, blob);
    const place = [[2, 0], [2, 0], [2, 0], [4, 0], [4, at]];
    index.push(record(0x02014b50, [[2, 20], ...common, ...place]), title);
    at += 30 + title.length + blob.size;
  }
  const size = index.reduce((sum, part) => sum + part.byteLength, 0);
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, taken.size], [2, taken.size], [4, size], [4, at], [2, 0]]);
  return new Blob([...parts, ...index, end], { type: "application/zip" });
}
