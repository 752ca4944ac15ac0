import { mount } from "svelte";
import { watch } from "./api";
import App from "./App.svelte";
import { speak } from "./i18n/index.svelte";
import { connection } from "./state/connection.svelte";
import { catchLinks } from "./state/router.svelte";
import { session } from "./state/session.svelte";
import { settings } from "./state/settings.svelte";
import "./styles/tokens.css";
import "./styles/base.css";

watch({
  reached: connection.reached,
  missed: connection.missed,
  signedOut: session.lost,
});

document.addEventListener("click", catchLinks);

const target = document.getElementById("app");
if (target !== null) {
  // Words first: a screen without them would flicker from keys to sentences.
  await speak(settings.startLocale(session.me?.locale ?? null));
  const asked = session.start();
  // Somebody known: the shell paints now. Nobody known: wait for the answer rather than flash the sign-in page.
  if (session.me === null) await asked;
  mount(App, { target });
}
