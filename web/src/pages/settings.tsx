// What administrators set for the whole server.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";

import { answer, api, type ChangeSettings, type Settings } from "../api/client";
import { useAsk } from "../ui/ask";
import { Failure, useTitle, Waiting } from "../ui/parts";
import { Shell } from "../ui/shell";

export function SettingsPage() {
  return <Shell>{() => <Page />}</Shell>;
}

function Page() {
  useTitle("Settings · GuruConnect");
  const settings = useQuery({ queryKey: ["settings"], queryFn: () => answer(api.GET("/api/settings")) });
  return (
    <>
      <div className="heading"><h1>Settings</h1></div>
      <Failure error={settings.error} />
      {settings.isPending ? <Waiting>Loading</Waiting> : null}
      {settings.data ? <SettingsForm now={settings.data} /> : null}
    </>
  );
}

/** Everything as text, as it stands in the fields. */
function texts(now: Settings) {
  return {
    organization: now.organization,
    public_url: now.public_url ?? "",
    trusted_proxies: now.trusted_proxies.join("\n"),
    consent_message: now.consent_message,
    notice_message: now.notice_message,
    several_controllers: now.several_controllers ? "yes" : "",
    most_viewers: String(now.most_viewers),
    session_hours: String(now.session_hours ?? ""),
    unwatched_minutes: String(now.unwatched_minutes ?? ""),
  };
}
type Texts = ReturnType<typeof texts>;
type Name = keyof Texts;

const number = (text: string) => (text.trim() === "" ? null : Number(text));
/** From the fields to what the server takes. */
const values: { [name in Name]: (text: string) => ChangeSettings[name] } = {
  organization: (text) => text,
  public_url: (text) => (text.trim() === "" ? null : text),
  trusted_proxies: (text) => text.split(/[\s,]+/).filter(Boolean),
  consent_message: (text) => text,
  notice_message: (text) => text,
  several_controllers: (text) => text === "yes",
  most_viewers: number,
  session_hours: number,
  unwatched_minutes: number,
};

function SettingsForm({ now }: { now: Settings }) {
  const queries = useQueryClient();
  const [edited, setEdited] = useState<Partial<Texts>>({});
  const before = texts(now);
  const changed = (Object.keys(edited) as Name[]).filter((name) => edited[name] !== before[name]);
  const save = useMutation({
    mutationFn: () => {
      const body: ChangeSettings = Object.fromEntries(changed.map((name) => [name, values[name](edited[name] ?? "")]));
      return answer(api.PATCH("/api/settings", { body }));
    },
    onSuccess: (result) => {
      setEdited({});
      queries.setQueryData(["settings"], result);
    },
  });
  const { ask, question } = useAsk();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const moved = edited.public_url && new URL(edited.public_url, location.href).origin !== location.origin;
    const ends = <>Links and downloads will lead to <bdi>{edited.public_url}</bdi>, which is not the address that you are at now.</>;
    if (!changed.includes("public_url") || !moved || (await ask({ title: "Send people to another address?", ends, verb: "Save" }))) save.mutate();
  };
  const field = (name: Name) => ({
    id: name, value: edited[name] ?? before[name], disabled: now.fixed.includes(name), "aria-describedby": `${name}-hint`,
    onChange: (event: { target: { value: string } }) => {
      save.reset();
      setEdited({ ...edited, [name]: event.target.value });
    },
  });
  const hint = (name: Name, words: ReactNode) => (
    <span className="hint" id={`${name}-hint`}>{now.fixed.includes(name) ? "Set by an option when the server was started; change it there." : words}</span>
  );
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <section className="card wide" aria-labelledby="people">
        <h2 id="people">What people read</h2>
        <div className="field">
          <label htmlFor="organization">Company</label>
          <input {...field("organization")} maxLength={200} autoComplete="organization" />
          {hint("organization", "In the question whether to allow help, and in the notice while it lasts.")}
        </div>
        <div className="field">
          <label htmlFor="consent_message">Below the question</label>
          <textarea {...field("consent_message")} rows={3} maxLength={300} />
          {hint("consent_message", <>Who asks and for what always stands above it. <code>{"{{technician_name}}"}</code> and <code>{"{{company}}"}</code> are filled in.</>)}
        </div>
        <div className="field">
          <label htmlFor="notice_message">In the notice on the screen</label>
          <textarea {...field("notice_message")} rows={2} maxLength={300} />
          {hint("notice_message", <>Below who is connected. <code>{"{{company}}"}</code> is filled in.</>)}
        </div>
      </section>
      <section className="card wide" aria-labelledby="limits">
        <h2 id="limits">Sessions</h2>
        <label className="check">
          <input
            type="checkbox" checked={(edited.several_controllers ?? before.several_controllers) === "yes"}
            onChange={(e) => setEdited({ ...edited, several_controllers: e.target.checked ? "yes" : "" })}
          />
          Several people may control a computer at the same time
        </label>
        <div className="field">
          <label htmlFor="most_viewers">Most viewers of a session</label>
          <input {...field("most_viewers")} type="number" min={1} max={16} required />
          {hint("most_viewers", "1 to 16.")}
        </div>
        <div className="field">
          <label htmlFor="session_hours">Longest session, in hours</label>
          <input {...field("session_hours")} type="number" min={1} max={168} placeholder="no limit" />
          {hint("session_hours", "1 to 168; empty: no limit. Then the session ends for everybody.")}
        </div>
        <div className="field">
          <label htmlFor="unwatched_minutes">Longest time without a viewer, in minutes</label>
          <input {...field("unwatched_minutes")} type="number" min={1} max={1440} placeholder="no limit" />
          {hint("unwatched_minutes", "1 to 1440; empty: no limit.")}
        </div>
      </section>
      <section className="card wide" aria-labelledby="network">
        <h2 id="network">Network</h2>
        <div className="field">
          <label htmlFor="public_url">Public address</label>
          <input {...field("public_url")} type="url" placeholder={now.url} autoComplete="off" spellCheck={false} />
          {hint("public_url", `Links and downloads are made for it. Now: ${now.url}`)}
        </div>
        <div className="field">
          <label htmlFor="trusted_proxies">Trusted proxies</label>
          <textarea {...field("trusted_proxies")} rows={3} spellCheck={false} className="mono" placeholder="10.0.0.5" />
          {hint("trusted_proxies", "One address or network a line. What they say about where requests come from is believed: name only proxies of your own.")}
        </div>
      </section>
      <div className="save" role="group" aria-label="Save">
        <Failure error={save.error} />
        <button className="button primary" disabled={save.isPending || changed.length === 0}>{save.isPending ? "Saving…" : "Save"}</button>
        {changed.length > 0 ? <button type="button" className="button" onClick={() => setEdited({})}>Discard</button> : null}
        {save.isSuccess && changed.length === 0 ? <span role="status">Saved. It holds from now on.</span> : null}
      </div>
      {question}
    </form>
  );
}
