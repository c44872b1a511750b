// Runs in a page, before anything else does. Draws a number of ms into a picture as black and white
// blocks, as tests/load/src/timecode.rs reads it.
window.drawTime = (context, width, ms) => {
  const COLUMNS = 20;
  const BITS = 48;
  const block = width / COLUMNS;
  const time = BigInt(ms);
  let check = 0xa5;
  for (let byte = 7n; byte >= 0n; byte--) {
    check = (((check << 1) | (check >> 7)) & 255) ^ Number((time >> (8n * byte)) & 255n);
  }
  const code = time | (BigInt(check) << BigInt(BITS));
  for (let bit = 0; bit < BITS + 8; bit++) {
    context.fillStyle = (code >> BigInt(bit)) & 1n ? "#fff" : "#000";
    const [column, row] = [bit % COLUMNS, Math.floor(bit / COLUMNS)];
    context.fillRect(column * block, row * block, block, block);
  }
};
