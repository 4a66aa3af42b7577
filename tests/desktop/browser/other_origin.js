// Everything that a page of another origin can try against a server whose user
// is logged in in the same browser. Runs in that page; says what came of each.
async ({ target, session, user, token }) => {
  const outcomes = {};
  const within = (milliseconds, promise, late) => Promise.race([promise, new Promise((done) => setTimeout(() => done(late), milliseconds))]);
  const tried = async (name, attempt) => {
    try {
      outcomes[name] = await within(5000, attempt(), "nothing came of it");
    } catch (error) {
      outcomes[name] = `refused: ${error.name}`;
    }
  };
  const call = (path, options) => async () => {
    const answer = await fetch(target + path, { credentials: "include", ...options });
    return answer.type === "opaque" ? "sent blindly" : `read: ${answer.status}`;
  };
  const text = (body) => ({ method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body: JSON.stringify(body) });
  const plain = (method, body) => ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const code = { access: "control" };
  const settings = { organization: "Somebody Else" };

  // What needs no question beforehand.
  await tried("fetch blindly: code", call("/api/codes", text(code)));
  await tried("fetch blindly: logout", call("/api/auth/logout", text({})));
  await tried("fetch blindly: control", call(`/api/sessions/${session}/request-control`, text({})));
  await tried("fetch blindly: token", call(`/api/sessions/${session}/viewer-token`, text({})));
  await tried("fetch: text", call("/api/codes", { method: "POST", body: JSON.stringify(code) }));
  await tried("fetch: form", call("/api/codes", { method: "POST", body: new URLSearchParams(code) }));
  await tried("fetch: who", call("/api/auth/me", {}));
  await tried("fetch: audit", call("/api/audit/export", {}));
  await tried("fetch blindly: who", call("/api/auth/me", { mode: "no-cors" }));
  outcomes.beacon = navigator.sendBeacon(`${target}/api/auth/logout`, JSON.stringify({})) ? "sent blindly" : "refused";
  // What the browser asks about first.
  await tried("fetch: code", call("/api/codes", plain("POST", code)));
  await tried("fetch: logout", call("/api/auth/logout", plain("POST", {})));
  await tried("fetch: token", call("/api/tokens", plain("POST", { name: "mine", scopes: ["view"], expires_in_days: null })));
  await tried("fetch: user", call(`/api/users/${user}`, plain("PATCH", { enabled: false })));
  await tried("fetch: settings", call("/api/settings", plain("PATCH", settings)));
  await tried("fetch: end", call(`/api/sessions/${session}`, { method: "DELETE" }));
  await tried("fetch: bearer", call("/api/auth/me", { headers: { authorization: `Bearer ${token}` } }));

  // Forms need no script at all.
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    for (const [what, path, name, value] of [
      ["code", "/api/codes", '{"access":"control","note":"', '"}'],
      ["logout", "/api/auth/logout", "{}", ""],
      ["password", "/api/auth/second-factor/propose", "{}", ""],
    ]) {
      await tried(`form ${enctype}: ${what}`, () => new Promise((done) => {
        const frame = document.createElement("iframe");
        frame.name = `frame${Math.random()}`;
        const form = document.createElement("form");
        Object.assign(form, { action: target + path, method: "post", enctype, target: frame.name });
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name, value });
        form.append(field);
        document.body.append(frame, form);
        frame.onload = () => done("sent blindly");
        form.submit();
      }));
    }
  }

  // What is loaded as a part of this page.
  const loaded = (tag, attributes) => () => new Promise((done) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.onload = () => done("loaded");
    element.onerror = () => done("refused");
    document.body.append(element);
  });
  await tried("image: icon", loaded("img", { src: `${target}/icon.svg` }));
  await tried("image: who", loaded("img", { src: `${target}/api/auth/me` }));
  await tried("script: who", loaded("script", { src: `${target}/api/auth/me` }));
  await tried("script: description", loaded("script", { src: `${target}/api/openapi.json` }));
  await tried("style: page", loaded("link", { rel: "stylesheet", href: `${target}/` }));
  await tried("object: page", loaded("object", { data: `${target}/`, type: "text/html" }));
  await tried("module", () => import(`${target}/icon.svg`).then(() => "loaded"));
  for (const [number, path] of ["/", "/login", "/join", "/users", `/sessions/${session}/view`].entries()) {
    await tried(`frame ${path.replace(session, "…")}`, () => new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.id = `framed${number}`;
      frame.src = target + path;
      frame.onload = () => done("there is a frame");
      document.body.append(frame);
    }));
  }

  // Streams and sockets, with a token that opens the viewer's elsewhere.
  await tried("events", () => new Promise((done) => {
    const source = new EventSource(`${target}/api/events`, { withCredentials: true });
    source.onopen = () => done("opened");
    source.onerror = () => { source.close(); done("refused"); };
  }));
  const socket = (path, protocols) => () => new Promise((done) => {
    const opened = new WebSocket(target.replace("http", "ws") + path, protocols);
    opened.onopen = () => { opened.close(); done("opened"); };
    opened.onerror = () => done("refused");
  });
  const protocols = ["guruconnect.v2", `guruconnect.token.${token}`];
  await tried("socket: viewer", socket(`/ws/viewer?session_id=${session}`, protocols));
  await tried("socket: viewer, no token", socket(`/ws/viewer?session_id=${session}`, ["guruconnect.v2"]));
  await tried("socket: agent", socket("/ws/agent", protocols));
  await tried("socket: events", socket("/api/events", []));

  // A window that was opened cannot be reached from here.
  await tried("window", async () => {
    const opened = window.open(`${target}/`);
    if (!opened) return "not opened";
    for (const until = Date.now() + 4000; Date.now() < until && !opened.closed;) await new Promise((passed) => setTimeout(passed, 20));
    return opened.closed ? "out of reach" : "in reach";
  });
  outcomes["cookies that scripts see"] = document.cookie;
  return outcomes;
}
