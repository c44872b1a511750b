// The camera: which there are, opening one, and what went wrong in words.

export interface CameraChoice {
  /** "" = whichever, "facing:user", "facing:environment" or "device:ID". */
  value: string;
  label: string;
}

type Device = Pick<MediaDeviceInfo, "kind" | "deviceId" | "label">;

/** `handheld`: a phone or tablet, whose cameras people know as front and back. */
export function cameraChoices(devices: readonly Device[], handheld: boolean): CameraChoice[] {
  const cameras = devices.filter((device) => device.kind === "videoinput");
  const facing: CameraChoice[] = handheld
    ? [
        { value: "facing:environment", label: "Back camera" },
        { value: "facing:user", label: "Front camera" },
      ]
    : [];
  // Until the person has allowed the camera, browsers hide names and ids.
  const known = cameras.filter((device) => device.deviceId !== "" && device.label !== "");
  const named = known.map(({ deviceId, label }) => ({ value: `device:${deviceId}`, label }));
  if (facing.length > 0) return [...facing, ...named];
  return named.length > 0 ? named : [{ value: "", label: "Default camera" }];
}

/** How large a picture the camera is asked for, by its lines. It gives what comes near to it. */
export const LINES = [480, 720, 1080] as const;
export const USUAL_LINES = 720;
const WIDTHS: Record<number, number> = { 480: 640, 720: 1280, 1080: 1920 };

export function cameraConstraints(choice: string, lines: number): MediaTrackConstraints {
  const width = WIDTHS[lines] ?? 1280;
  const picture = {
    width: { ideal: width },
    height: { ideal: lines },
    frameRate: { ideal: 30 },
  };
  if (choice.startsWith("device:")) {
    return { ...picture, deviceId: { exact: choice.slice("device:".length) } };
  }
  if (choice.startsWith("facing:")) {
    return { ...picture, facingMode: { ideal: choice.slice("facing:".length) } };
  }
  return picture;
}

export async function openCamera(
  devices: MediaDevices,
  choice: string,
  lines: number,
): Promise<MediaStream> {
  try {
    return await devices.getUserMedia({ audio: false, video: cameraConstraints(choice, lines) });
  } catch (error) {
    // The remembered camera is not plugged in today: any other is better than none.
    if (nameOf(error) !== "OverconstrainedError" || choice === "") throw error;
    return devices.getUserMedia({ audio: false, video: cameraConstraints("", lines) });
  }
}

export function cameraProblem(error: unknown): string {
  switch (nameOf(error)) {
    case "NotAllowedError":
    case "SecurityError":
      return "The camera is blocked for this page. Allow it next to the address in your browser, then press Play again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera was found. Connect one, then press Play again.";
    case "NotReadableError":
    case "AbortError":
      return "The camera is busy. Close whatever else is using it, then press Play again.";
    default:
      return `The camera could not be opened: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What sending video takes. */
export interface Abilities {
  /** The page came from https or from this very computer. */
  secure: boolean;
  camera: boolean;
  webRtc: boolean;
}

/** Why this browser can send no video from this page at all; null if it can. */
export function unableProblem(
  { secure, camera, webRtc }: Abilities,
  location: Pick<Location, "host" | "port">,
): string | null {
  if (!camera && !secure) return insecureProblem(location);
  if (!webRtc) {
    return "This page sends video by WebRTC. This browser does not have it, or it is switched off. Switch it on in the browser's settings, or open this page in another browser.";
  }
  if (!camera) {
    return "This browser does not give cameras to pages. Change that in the browser's settings, or open this page in another browser.";
  }
  return null;
}

/** Browsers give cameras only to pages from https or this very computer. */
function insecureProblem(location: Pick<Location, "host" | "port">): string {
  const local = `http://localhost${location.port === "" ? "" : `:${location.port}`}`;
  return `Browsers give the camera only to secure pages. Open this page as https://${location.host}, or on the server itself as ${local}.`;
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}
