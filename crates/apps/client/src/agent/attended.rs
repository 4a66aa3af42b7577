//! One attended session from its code to its end: connecting, coming back,
//! and knowing when to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gc_access::{ResumeSecret, Secret, SupportCode};
use gc_desktop::Prompt;
use gc_net::{Backoff, ConnectError, Socket};
use gc_protocol::limits;
use tokio::sync::mpsc;
use url::Url;

use super::connection::{self, End};
use super::exchange::{Bulletin, newsroom};
use super::sessions::{Ended, Sessions};
use crate::anchor::Anchor;

/// How long a session that nobody can reach any more is tried to be reached.
const GIVE_UP: Duration = limits::AGENT_AWAY;
/// No pause is longer, whatever the other side asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A line that held for so long was a good one: pauses are short again.
const GOOD_LINE: Duration = Duration::from_secs(10);
/// How long the person's end is tried to be delivered over a lost line.
const LAST_WORD: Duration = Duration::from_secs(5);

/// How it went: words for the person when it has ended, or when it never
/// began, and whether the code was used, so that the program is of no more use.
pub(super) struct Attended {
    pub(super) outcome: Result<Option<String>, String>,
    pub(super) used: bool,
}

/// Carry one attended session from code to end.
pub(super) async fn attend(anchor: &Anchor, code: Option<SupportCode>, prompt: &Arc<dyn Prompt>) -> Attended {
    let (reporter, news) = newsroom();
    tokio::spawn(connection::stop_when_told(reporter.clone()));
    let mut agent = Agent { anchor, prompt, news, sessions: Sessions::new(prompt.clone(), reporter), busy: None };
    let outcome = agent.carry(code).await;
    let used = agent.sessions.any_began();
    let Agent { sessions, .. } = agent;
    // Windows go and keys come up before the person reads how it ended.
    if let Err(error) = tokio::task::spawn_blocking(move || sessions.close()).await {
        tracing::error!(%error, "the session could not be put away");
    }
    Attended { outcome, used }
}

struct Agent<'a> {
    anchor: &'a Anchor,
    prompt: &'a Arc<dyn Prompt>,
    news: mpsc::Receiver<Bulletin>,
    sessions: Sessions,
    /// Shown to the person as long as nothing has begun.
    busy: Option<Box<dyn Send>>,
}

/// What came of one attempt.
enum Attempt {
    /// It is over, with words for the person or without.
    Over(Result<Option<String>, String>),
    /// The code is not valid, in these words.
    Refused(String),
    /// Try again, after this pause or the usual one.
    Again(Option<Duration>),
}

impl Agent<'_> {
    async fn carry(&mut self, mut code: Option<SupportCode>) -> Result<Option<String>, String> {
        let url = socket_url(&self.anchor.url).ok_or("The server's address in this program is not valid.")?;
        let mut backoff = Backoff::default();
        let mut problem: Option<String> = None;
        let mut lost_since = Instant::now();
        loop {
            let authorization = match (self.sessions.way_back(), &code) {
                (Some(secret), _) => authorize(&secret),
                (None, Some(code)) => Secret::new(format!("Code {}", code.secret().expose())),
                (None, None) => {
                    let Some(typed) = self.ask_code(problem.take()).await? else { return Ok(None) };
                    code = SupportCode::parse(&typed);
                    if code.is_none() {
                        problem = Some("That is not a support code. It looks like ABC-DEF-GHJ.".into());
                    }
                    lost_since = Instant::now();
                    continue;
                }
            };
            let begun = Instant::now();
            let pause = match self.attempt(&url, &authorization).await {
                Attempt::Over(outcome) => return outcome,
                Attempt::Refused(words) => {
                    code = None;
                    problem = Some(words);
                    continue;
                }
                Attempt::Again(pause) => pause,
            };
            if self.sessions.ended().is_some() {
                return Ok(None);
            }
            if let Some(held) = self.sessions.line_held_since() {
                lost_since = lost_since.max(held);
                if begun.elapsed() >= GOOD_LINE {
                    backoff.reset();
                }
            }
            if lost_since.elapsed() > GIVE_UP {
                return Err("The server cannot be reached. Check the network and try again.".into());
            }
            let mut random = [0; 4];
            // Without randomness the pause is merely not spread.
            let _: Result<(), _> = getrandom::fill(&mut random);
            let usual = backoff.pause(u32::from_le_bytes(random));
            let pause = pause.unwrap_or(usual).min(LONGEST_PAUSE);
            tracing::info!(milliseconds = pause.as_millis(), "trying again after a pause");
            if let Some(ended) = self.wait(pause).await {
                self.last_word(&url).await;
                return ended.outcome();
            }
        }
    }

    async fn ask_code(&self, problem: Option<String>) -> Result<Option<String>, String> {
        let asked = self.prompt.clone();
        let typed = tokio::task::spawn_blocking(move || asked.ask_code(problem.as_deref())).await;
        typed.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn attempt(&mut self, url: &Url, authorization: &Secret) -> Attempt {
        let fresh = !self.sessions.any_began();
        if fresh && self.busy.is_none() {
            self.busy = Some(self.prompt.busy("Connecting to your technician…"));
        }
        let connected = tokio::select! {
            connected = connect(url, self.anchor, authorization) => connected,
            ended = self.sessions.next_end(&mut self.news) => {
                self.last_word(url).await;
                return Attempt::Over(ended.outcome());
            }
        };
        // A server that is not there yet is tried again, and that is shown on.
        if !matches!(connected, Err(ConnectError::Network(_) | ConnectError::TimedOut)) {
            self.busy = None;
        }
        match connected {
            Ok(socket) => match connection::serve(socket, &mut self.sessions, &mut self.news).await {
                End::Over(words) => Attempt::Over(Ok(words)),
                End::Again(pause) => Attempt::Again(pause),
            },
            Err(ConnectError::Refused { status: 401, detail, .. }) if fresh => Attempt::Refused(detail),
            Err(ConnectError::Refused { status: 401, .. }) => Attempt::Over(Ok(Some("The session has ended.".into()))),
            Err(ConnectError::Refused { retry_after, status, .. }) if status == 429 || status >= 500 => {
                Attempt::Again(retry_after.map(Duration::from_secs))
            }
            Err(error @ (ConnectError::Network(_) | ConnectError::TimedOut | ConnectError::Handshake(_))) => {
                tracing::warn!(%error, "no connection");
                Attempt::Again(None)
            }
            // What a proxy, a hotel's login page or a restarting server says in
            // between ends no session. A certificate is verified again.
            Err(error @ (ConnectError::Refused { .. } | ConnectError::Proxy | ConnectError::Certificate(_)))
                if !fresh =>
            {
                tracing::warn!(%error, "no connection");
                Attempt::Again(None)
            }
            Err(error) => {
                tracing::error!(%error, "no connection");
                Attempt::Over(Err(format!("{}: {error}.", self.anchor.product)))
            }
        }
    }

    /// Let some time pass, unless the person ends the session meanwhile.
    async fn wait(&mut self, pause: Duration) -> Option<Ended> {
        tokio::select! {
            () = tokio::time::sleep(pause) => None,
            ended = self.sessions.next_end(&mut self.news) => Some(ended),
        }
    }

    /// Tell the relay of an end that happened while the line was lost; once,
    /// and not for long: without it the relay ends the session by itself.
    async fn last_word(&mut self, url: &Url) {
        let Some(secret) = self.sessions.way_back() else { return };
        let work = async {
            if let Ok(socket) = connect(url, self.anchor, &authorize(&secret)).await {
                connection::serve(socket, &mut self.sessions, &mut self.news).await;
            }
        };
        if tokio::time::timeout(LAST_WORD, work).await.is_err() {
            tracing::warn!("the session's end could not be told to the server");
        }
    }
}

fn authorize(secret: &ResumeSecret) -> Secret {
    Secret::new(format!("Bearer {}", secret.secret().expose()))
}

async fn connect(url: &Url, anchor: &Anchor, authorization: &Secret) -> Result<Socket, ConnectError> {
    gc_net::connect(url, anchor.identity(), authorization.expose(), limits::SUBPROTOCOL, limits::AGENT_MESSAGE).await
}

/// The agents' plane below the server's address.
fn socket_url(address: &str) -> Option<Url> {
    let rest = address.strip_prefix("http").filter(|rest| rest.starts_with("://") || rest.starts_with("s://"))?;
    Url::parse(&format!("ws{rest}/ws/agent")).ok()
}

#[cfg(test)]
mod tests {
    use super::socket_url;

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("https://help.example", Some("wss://help.example/ws/agent")),
            ("http://127.0.0.1:8480", Some("ws://127.0.0.1:8480/ws/agent")),
            ("ftp://help.example", None),
            ("httpx://help.example", None),
        ] {
            assert_eq!(socket_url(address).map(String::from), expected.map(str::to_owned), "{address}");
        }
    }
}
