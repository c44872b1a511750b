import type { Model, Service } from "../api.ts";
import { detectServices, listModels, Refused, reason } from "../api.ts";
import type { Scope } from "../scope.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import { byId, find, make } from "./dom.ts";
import { Field } from "./field.ts";

export interface Connect {
  /** Opens the section and looks for services again. */
  open(): void;
  lookAgain(): Promise<void>;
}

/** Connecting this session to another VLM: one found on the server, or any address with a key. */
export function connectView(scope: Scope, settings: SettingsKeeper): Connect {
  const section = byId("connect-section", HTMLDetailsElement);
  const form = find("form", HTMLFormElement, section);
  const services = find(".services", HTMLElement, section);
  const own = byId("use-own", HTMLButtonElement);
  const base = new Field(scope, "api-base", HTMLInputElement);
  const key = new Field(scope, "api-key", HTMLInputElement);
  let attempt = 0;

  const connect = async (apiBase: string, apiKey: string) => {
    const mine = ++attempt;
    const overtaken = () => mine !== attempt || scope.ended;
    base.busy(apiBase === "" ? "Going back…" : "Asking for its models…");
    try {
      const model = bestOf(await listModels(apiBase, apiKey));
      if (overtaken()) return;
      base.clear();
      settings.setVlm({ model: model.id, apiBase, apiKey });
    } catch (error) {
      if (!overtaken()) base.wrong(reason(error));
    }
  };

  const choose = (service: Service) => {
    const chip = make("button", "service", make("strong", "", service.name), " ", service.url);
    chip.type = "button";
    scope.listen(chip, "click", () => {
      base.input.value = service.url;
      key.input.value = "";
      void connect(service.url, "");
    });
    return chip;
  };

  let looked = false;
  const lookAgain = async () => {
    looked = true;
    const found = await detectServices().catch(() => []);
    if (scope.ended) return;
    services.replaceChildren(...found.map(choose));
    services.hidden = found.length === 0;
  };

  scope.listen(section, "toggle", () => section.open && !looked && void lookAgain());
  scope.listen(form, "submit", (event) => {
    event.preventDefault();
    const address = base.input.value.trim();
    // Without a scheme, the server takes it for http.
    const isOther = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\//i.test(address);
    if (address === "" || isOther) {
      base.wrong(
        isOther
          ? "Begin the address with http:// or https://"
          : "Write the server’s address, such as gpu-box:8000/v1",
      );
      base.input.focus();
      return;
    }
    void connect(address, key.input.value);
  });
  scope.listen(own, "click", () => {
    base.input.value = "";
    key.input.value = "";
    void connect("", "");
  });
  settings.changed.on(scope, () => {
    own.hidden = (settings.vlm?.apiBase ?? "") === "";
  });
  settings.fieldWrong.on(scope, ({ field, message }) => {
    if (field === "api_base") base.wrong(message);
    if (field === "api_key") key.wrong(message);
  });

  return {
    open() {
      section.open = true;
      section.scrollIntoView({ block: "nearest" });
      base.input.focus();
    },
    lookAgain,
  };
}

function bestOf(models: readonly Model[]): Model {
  const best =
    models.find(({ current }) => current) ?? models.find(({ vision }) => vision) ?? models[0];
  if (best === undefined) throw new Refused("This server lists no models yet.");
  return best;
}
