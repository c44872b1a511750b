import type { Scope } from "../scope.ts";
import type { SettingsKeeper } from "../settings-keeper.ts";
import type { Connect } from "./connect.ts";
import { byId } from "./dom.ts";
import type { ModelList } from "./models.ts";

/** Says so for as long as the built-in stand-in answers. */
export function standInView(
  scope: Scope,
  settings: SettingsKeeper,
  connect: Connect,
  models: ModelList,
): void {
  const notice = byId("stand-in-notice", HTMLElement);
  const look = byId("look-again", HTMLButtonElement);
  settings.changed.on(scope, ({ standIn }) => {
    notice.hidden = !standIn;
  });
  scope.listen(byId("open-connect", HTMLButtonElement), "click", () => connect.open());
  scope.listen(look, "click", async () => {
    look.disabled = true;
    await Promise.all([connect.lookAgain(), models.refresh()]);
    look.disabled = false;
    connect.open();
  });
}
