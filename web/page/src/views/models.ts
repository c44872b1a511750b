import type { Model } from "../api.ts";
import { listModels, reason } from "../api.ts";
import type { Scope } from "../scope.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import { atHost } from "../words.ts";
import { byId, make, option } from "./dom.ts";
import { Field } from "./field.ts";

export interface ModelList {
  refresh(): Promise<void>;
}

/** The models of the VLM that is connected. */
export function modelsView(scope: Scope, settings: SettingsKeeper): ModelList {
  const field = new Field(scope, "model", HTMLSelectElement);
  const select = field.input;
  const where = byId("where", HTMLElement);
  const button = byId("refresh-models", HTMLButtonElement);
  let models: Model[] = [];
  let latest = 0;

  const show = () => {
    const current = settings.applied?.model ?? "";
    const known = models.some(({ id }) => id === current);
    const listed = models.filter(({ vision }) => vision);
    const blind = models.filter(({ vision }) => !vision);
    select.replaceChildren(
      ...(known || current === "" ? [] : [option(current, current)]),
      ...listed.map(({ id, name }) => option(id, name)),
    );
    if (blind.length > 0) {
      const group = make("optgroup", "", ...blind.map(({ id, name }) => option(id, name)));
      group.label = "These may not see pictures";
      select.append(group);
    }
    if (select.options.length === 0) select.append(option("", "No model yet"));
    select.value = current;
    select.disabled = models.length === 0;
  };

  const refresh = async () => {
    const mine = ++latest;
    button.disabled = true;
    try {
      const found = await listModels(settings.vlm?.apiBase, settings.vlm?.apiKey);
      if (mine !== latest || scope.ended) return;
      models = found;
      if (models.length === 0) field.wrong("There are no models yet.");
      else field.clear();
    } catch (error) {
      if (mine !== latest || scope.ended) return;
      field.wrong(reason(error));
    } finally {
      if (mine === latest) button.disabled = false;
    }
    show();
  };

  scope.listen(button, "click", () => void refresh());
  scope.listen(select, "change", () => {
    const { apiBase = "", apiKey = "" } = settings.vlm ?? {};
    settings.setVlm({ model: select.value, apiBase, apiKey });
  });
  let base: string | null = null;
  settings.changed.on(scope, (applied) => {
    where.textContent = applied.standIn ? "Built-in stand-in" : atHost(applied.apiBase);
    show();
    if (base !== applied.apiBase) void refresh();
    base = applied.apiBase;
  });
  settings.fieldApplied.on(scope, (name) => name === "model" && field.applied());
  settings.fieldWrong.on(scope, ({ field: name, message }) => {
    if (name !== "model") return;
    field.wrong(message);
    show();
  });
  show();
  return { refresh };
}
