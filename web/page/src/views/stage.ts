import type { Scope } from "../scope.ts";
import type { Session } from "../session.ts";
import type { Preferences } from "../stored.ts";
import { markFirstAnswers, markPlay } from "../timing.ts";
import { byId, find } from "./dom.ts";

/** The preview with Play and Mirror. */
export function stageView(
  scope: Scope,
  session: Session,
  preferences: Preferences,
  save: () => void,
): void {
  const stage = find(".stage", HTMLElement);
  const video = byId("preview", HTMLVideoElement);
  const play = byId("play", HTMLButtonElement);
  const label = find("span", HTMLElement, play);
  const icon = find("use", SVGUseElement, play);
  const mirror = byId("mirror", HTMLButtonElement);

  scope.listen(play, "click", () => {
    if (session.playing) session.stop();
    else {
      markPlay();
      session.play();
    }
  });

  session.video.on(scope, ({ state, stream }) => {
    const playing = state !== "off";
    stage.dataset.state = state;
    play.setAttribute("aria-pressed", String(playing));
    label.textContent = playing ? "Stop" : "Play";
    icon.setAttribute("href", playing ? "#icon-stop" : "#icon-play");
    if (video.srcObject !== stream) video.srcObject = stream;
    if (!playing) stage.style.removeProperty("aspect-ratio");
  });

  // A phone's picture turns with the phone.
  scope.listen(video, "resize", () => {
    if (video.videoWidth > 0) {
      stage.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    }
  });

  const showMirror = () => {
    video.classList.toggle("mirrored", preferences.mirrored);
    mirror.setAttribute("aria-pressed", String(preferences.mirrored));
  };
  scope.listen(mirror, "click", () => {
    preferences.mirrored = !preferences.mirrored;
    save();
    showMirror();
  });
  showMirror();

  markFirstAnswers(scope, session);
}
