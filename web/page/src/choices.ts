// What a person may choose for a session while it runs: one list, from which the form, its checks,
// the messages and what is stored follow. To add a setting, add it here. The server has the same
// list in web/server/src/choices.rs, and sends the bounds and what a session begins with.

/** The least and the greatest that is allowed: of a number, or of a text's length in characters. */
export interface Bound {
  min: number;
  max: number;
}

type Value = string | number;

interface Kind<T extends Value> {
  is(value: unknown): value is T;
  /** What is compared with the bound. */
  size(value: T): number;
  /** As the form shows it. */
  show(value: T): string;
  /** What somebody wrote into the form. It need not be allowed. */
  read(text: string): T;
  /** What is allowed, in words. */
  allowed(bound: Bound, unit: string): string;
}

const text: Kind<string> = {
  is: (value): value is string => typeof value === "string",
  size: (value) => [...value].length,
  show: (value) => value,
  read: (written) => written.trim(),
  allowed: ({ min, max }) => `From ${min} to ${max} characters.`,
};

const number: Kind<number> = {
  is: (value): value is number => typeof value === "number" && Number.isFinite(value),
  size: (value) => value,
  show: (value) => String(rounded(value)),
  read: (written) => Number.parseFloat(written),
  allowed: ({ min, max }, unit) => `From ${min} to ${max} ${unit}.`,
};

const whole: Kind<number> = {
  ...number,
  is: (value): value is number => Number.isInteger(value),
  read: Number,
  allowed: ({ min, max }) => `A whole number from ${min} to ${max}.`,
};

/** From 0 to 1; in the form from 0 to 100. */
const share: Kind<number> = {
  ...number,
  show: (value) => String(rounded(100 * value)),
  read: (written) => Number.parseFloat(written) / 100,
  allowed: ({ min, max }, unit) => `From ${rounded(100 * min)} to ${rounded(100 * max)} ${unit}.`,
};

/** The field for a setting: a number with its unit, or a text. */
export type FormField = { label: string; place: "pair" | "row" | "more" } & (
  | { unit: string }
  | { hint: string }
  /** A number that can be off, which 0 means; `on` is what it begins with, as the form shows it. */
  | { unit: string; before: string; on: string }
);

const CHOICES = {
  // Its field is the composer of index.html.
  prompt: { kind: text, field: null },
  // Not on the page.
  max_latency: { kind: number, field: null },
  interval: { kind: number, field: { label: "Ask every", unit: "seconds", place: "pair" } },
  max_tokens: {
    kind: whole,
    field: { label: "Answer with at most", unit: "tokens", place: "pair" },
  },
  min_change: {
    kind: share,
    field: {
      label: "Ask only when the picture changes",
      before: "by at least",
      unit: "percent",
      on: "2",
      place: "row",
    },
  },
  max_size: {
    kind: whole,
    field: { label: "Longest edge of the picture for the model", unit: "pixels", place: "more" },
  },
  system_prompt: {
    kind: text,
    field: {
      label: "System prompt",
      hint: "How it should answer, whatever the question",
      place: "more",
    },
  },
} as const satisfies Record<string, { kind: Kind<string> | Kind<number>; field: FormField | null }>;

export type ChoiceName = keyof typeof CHOICES;

/** What is chosen for a session. */
export type Choices = {
  [N in ChoiceName]: (typeof CHOICES)[N]["kind"] extends Kind<infer T> ? T : never;
};

/** What is chosen anew; what is not in it stays as it is. */
export type Change = Partial<Choices>;

export type Bounds = Record<ChoiceName, Bound>;

export const CHOICE_NAMES = Object.keys(CHOICES) as ChoiceName[];

export function isChoiceName(name: string): name is ChoiceName {
  return Object.hasOwn(CHOICES, name);
}

export function fieldFor(name: ChoiceName): FormField | null {
  return CHOICES[name].field;
}

export function isWholeNumber(name: ChoiceName): boolean {
  return kindOf(name) === whole;
}

/** Something for each setting. */
export function forEachChoice<T>(make: (name: ChoiceName) => T): Record<ChoiceName, T> {
  return Object.fromEntries(CHOICE_NAMES.map((name) => [name, make(name)])) as Record<
    ChoiceName,
    T
  >;
}

/** Whether this can be the value of the setting, within whatever bounds. */
export function isOfKind(name: ChoiceName, value: unknown): boolean {
  return kindOf(name).is(value);
}

/** Only the settings of what has others beside them, those that are there and of the right kind. */
export function changeIn(fields: Readonly<Record<string, unknown>>): Change {
  const names = CHOICE_NAMES.filter((name) => isOfKind(name, fields[name]));
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

/** The settings of a message, without what else is in it. */
export function choicesIn(message: Choices): Choices {
  return forEachChoice((name) => message[name]) as Choices;
}

/** As the form shows it. */
export function shown(name: ChoiceName, choices: Choices): string {
  return kindOf(name).show(choices[name]);
}

/** What somebody has written into the form, or what is wrong with it. */
export function written(
  name: ChoiceName,
  text: string,
  bounds: Bounds,
): { change: Change } | { wrong: string } {
  const kind = kindOf(name);
  const value = kind.read(text);
  if (isAllowed(name, value, bounds)) return { change: { [name]: value } };
  const field = fieldFor(name);
  return { wrong: kind.allowed(bounds[name], field !== null && "unit" in field ? field.unit : "") };
}

/** What of `wanted` is allowed and not held already. */
export function lacking(wanted: Change, held: Choices, bounds: Bounds): Change {
  const names = CHOICE_NAMES.filter((name) => {
    const value = wanted[name];
    return value !== undefined && value !== held[name] && isAllowed(name, value, bounds);
  });
  return Object.fromEntries(names.map((name) => [name, wanted[name]]));
}

function isAllowed(name: ChoiceName, value: Value, bounds: Bounds): boolean {
  const kind = kindOf(name);
  const { min, max } = bounds[name];
  return kind.is(value) && kind.size(value) >= min && kind.size(value) <= max;
}

function kindOf(name: ChoiceName): Kind<Value> {
  return CHOICES[name].kind;
}

function rounded(value: number): number {
  return Number(value.toFixed(2));
}
