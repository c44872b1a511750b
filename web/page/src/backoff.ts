const FIRST_MS = 500;
const MOST_MS = 15_000;

/**
 * How long to wait before try number `failures` + 1. Half of it is random, so that the people
 * whom one restart threw out do not all come back in the same moment.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return Math.round(whole / 2 + (whole / 2) * random());
}
