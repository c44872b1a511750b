/** The SVG paths of a small line of the latest values, the oldest at the left edge. */
export function sparkline(
  values: readonly number[],
  width: number,
  height: number,
): { line: string; area: string } {
  const top = Math.max(...values, 1) * 1.1;
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, index) => {
    const x = index * step;
    const y = height - (Math.max(0, value) / top) * height;
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  if (points.length === 0) return { line: "", area: "" };
  const line = `M${points.join("L")}`;
  return { line, area: `${line}L${width} ${height}L0 ${height}Z` };
}
