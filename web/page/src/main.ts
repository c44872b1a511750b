import { Problems } from "./problems.ts";
import { Scope } from "./scope.ts";
import { Session } from "./session.ts";
import { forgetPreferences, loadPreferences, savePreferences } from "./stored.ts";
import { ageView } from "./views/age.ts";
import { answerView } from "./views/answer.ts";
import { camerasView } from "./views/cameras.ts";
import { choicesView } from "./views/choices.ts";
import { connectView } from "./views/connect.ts";
import { connectionView } from "./views/connection.ts";
import { byId } from "./views/dom.ts";
import { historyView } from "./views/history.ts";
import { metricsView } from "./views/metrics.ts";
import { modelsView } from "./views/models.ts";
import { pictureView } from "./views/picture.ts";
import { problemsView } from "./views/problems.ts";
import { promptView } from "./views/prompt.ts";
import { savedView } from "./views/saved.ts";
import { signInView } from "./views/sign-in.ts";
import { stageView } from "./views/stage.ts";
import { standInView } from "./views/stand-in.ts";

// A getter, because merely naming localStorage throws where it is switched off.
const storage = () => localStorage;

const page = new Scope();
const preferences = loadPreferences(storage);
const save = () => savePreferences(storage, preferences);
const problems = new Problems();
problemsView(page, problems);

/** Everything behind the sign-in. */
function open(): Session {
  const session = new Session(page, preferences, problems, byId("preview", HTMLVideoElement));
  const { settings } = session;
  settings.changed.on(page, save);
  session.signedOut.on(page, () => signIn.ask());

  connectionView(page, session);
  stageView(page, session, preferences, save);
  camerasView(page, session, preferences, problems, save);
  pictureView(page, session, preferences, save);
  promptView(page, settings, () => session.askNow());
  choicesView(page, settings);
  savedView(page, session);
  answerView(page, session);
  ageView(page, session);
  historyView(page, session);
  metricsView(page, session);
  const models = modelsView(page, settings);
  standInView(page, settings, connectView(page, settings), models);
  return session;
}

let opened: { session: Session; user: string | null } | null = null;
const signIn = signInView(page, {
  entered(user) {
    if (opened === null) opened = { session: open(), user };
    else if (opened.user === user) opened.session.resume();
    // Nothing of one person is left to the next.
    else location.reload();
  },
  left() {
    forgetPreferences(storage);
    location.reload();
  },
  stayed(message) {
    problems.set("page", message);
  },
});

byId("connection", HTMLElement).hidden = false;
byId("unstarted", HTMLElement).remove();
