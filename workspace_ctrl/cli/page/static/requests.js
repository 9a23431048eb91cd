// Requests to the page's server: with the user's token where he has pasted one, which is kept here and nowhere else.

let token = "";

/** The server does not accept the token, or there is none. */
export class SignInError extends Error {}

/** The server has answered, and not with what was asked for. */
export class AnswerError extends Error {}

export function setToken(text) {
  token = text;
}

export function hasToken() {
  return token !== "";
}

/** Return the namespace in the page's address; empty for all. */
export function chosenNamespace() {
  return new URLSearchParams(location.search).get("namespace") ?? "";
}

/** Request a path below the page's address, for its namespace. */
async function requested(path, parameters, signal) {
  const query = new URLSearchParams(parameters);
  if (chosenNamespace()) query.set("namespace", chosenNamespace());
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(`${path}?${query}`, { headers, signal, cache: "no-store" });
  if (response.status !== 401) return response;
  const found = isJson(response) ? await response.json() : {};
  throw new SignInError(found.needsToken ? found.error : "you are not signed in any more; reload the page");
}

function isJson(response) {
  return (response.headers.get("Content-Type") ?? "").includes("json");
}

/** Return the document at a path; an `error` in it says why there is none. */
export async function fetched(path, parameters, signal) {
  const response = await requested(path, parameters, signal);
  return isJson(response) ? response.json() : { error: `the page's server answers with status ${response.status}` };
}

/** Call `take` with name and content of each event that the server sends, until it ends them. */
export async function followed(path, signal, take) {
  const response = await requested(path, {}, signal);
  if (!response.ok) throw new AnswerError(isJson(response) ? (await response.json()).error : await response.text());
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) take(...parsed(event));
  }
}

function parsed(event) {
  const fields = Object.fromEntries(event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
  return [fields.event, JSON.parse(fields.data)];
}
