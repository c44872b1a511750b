import { cameraChoices, unableProblem } from "../camera.ts";
import type { Problems } from "../problems.ts";
import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import type { Preferences } from "../stored.ts";
import { byId, option } from "./dom.ts";

/** The choice of camera. It follows what is plugged in. */
export function camerasView(
  scope: Scope,
  session: Session,
  preferences: Preferences,
  problems: Problems,
  save: () => void,
): void {
  const select = byId("camera", HTMLSelectElement);
  const { mediaDevices: devices } = navigator;
  // Some browsers lack them, and all of them on pages that are not secure, whatever the types say.
  const abilities = {
    secure: isSecureContext,
    camera: Boolean(devices),
    webRtc: typeof RTCPeerConnection === "function",
  };
  const unable = unableProblem(abilities, location);
  if (unable !== null) {
    problems.set("page", unable);
    select.replaceChildren(option("", "No camera here"));
    select.disabled = true;
    byId("play", HTMLButtonElement).disabled = true;
    return;
  }

  const handheld = matchMedia("(hover: none) and (pointer: coarse)").matches;
  let used = "";
  const show = async () => {
    const choices = cameraChoices(await devices.enumerateDevices(), handheld);
    if (scope.ended) return;
    select.replaceChildren(...choices.map(({ value, label }) => option(value, label)));
    const wanted = [preferences.camera, used].find((value) =>
      choices.some((choice) => choice.value === value),
    );
    if (wanted !== undefined) select.value = wanted;
  };

  scope.listen(devices, "devicechange", () => void show());
  scope.listen(select, "change", () => {
    preferences.camera = select.value;
    save();
    session.switchCamera();
  });
  session.video.on(scope, ({ stream }) => {
    // Names are known only once a camera has been opened.
    const id = stream?.getVideoTracks()[0]?.getSettings().deviceId;
    if (id === undefined || used === `device:${id}`) return;
    used = `device:${id}`;
    void show();
  });
  void show();
}
