import type { Bound } from "../protocol.ts";
import type { Scope } from "../scope.ts";
import type { Applied, FieldName } from "../settings.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import { Field } from "./field.ts";

const TYPING_MS = 600;

/** Interval, change, length of the answer and system prompt: each is sent a moment after the last key. */
export function limitsView(scope: Scope, settings: SettingsKeeper): void {
  const bind = <E extends HTMLInputElement | HTMLTextAreaElement>(
    field: Field<E>,
    name: FieldName,
    held: (applied: Applied) => string,
    send: (value: string) => string | null,
  ) => {
    let pending = () => {};
    let sent: string | null = null;
    const apply = () => {
      pending();
      const { value } = field.input;
      if (value === sent) return;
      const wrong = send(value);
      if (wrong === null) sent = value;
      else field.wrong(wrong);
    };
    scope.listen(field.input, "input", () => {
      pending();
      pending = scope.after(TYPING_MS, apply);
    });
    scope.listen(field.input, "change", apply);
    settings.changed.on(scope, (applied) => {
      if (document.activeElement === field.input) return;
      sent = held(applied);
      field.input.value = sent;
    });
    settings.fieldApplied.on(scope, (applied) => applied === name && field.applied());
    settings.fieldWrong.on(scope, (wrong) => {
      if (wrong.field === name) field.wrong(wrong.message);
    });
  };

  bind(
    new Field(scope, "interval", HTMLInputElement),
    "interval",
    (applied) => String(Number(applied.interval.toFixed(2))),
    (value) => {
      const seconds = Number.parseFloat(value);
      const bound = settings.bounds?.interval;
      if (!within(bound, seconds)) return `From ${bound?.min} to ${bound?.max} seconds.`;
      settings.setInterval(seconds);
      return null;
    },
  );
  bind(
    new Field(scope, "min-change", HTMLInputElement),
    "minChange",
    (applied) => String(percent(applied.minChange)),
    (value) => {
      const minChange = Number.parseFloat(value) / 100;
      const bound = settings.bounds?.min_change;
      if (!within(bound, minChange)) {
        return `From ${percent(bound?.min ?? 0)} to ${percent(bound?.max ?? 1)} percent.`;
      }
      settings.setMinChange(minChange);
      return null;
    },
  );
  bind(
    new Field(scope, "max-tokens", HTMLInputElement),
    "maxTokens",
    (applied) => String(applied.maxTokens),
    (value) => {
      const tokens = Number(value);
      const bound = settings.bounds?.max_tokens;
      if (!Number.isInteger(tokens) || !within(bound, tokens)) {
        return `A whole number from ${bound?.min} to ${bound?.max}.`;
      }
      settings.setMaxTokens(tokens);
      return null;
    },
  );
  bind(
    new Field(scope, "system-prompt", HTMLTextAreaElement),
    "systemPrompt",
    (applied) => applied.systemPrompt,
    (value) => {
      settings.setSystemPrompt(value.trim());
      return null;
    },
  );
}

function percent(share: number): number {
  return Number((100 * share).toFixed(2));
}

/** Whether the server takes this. Before it has said what it takes, it may. */
function within(bound: Bound | undefined, value: number): boolean {
  return bound === undefined || (value >= bound.min && value <= bound.max);
}
