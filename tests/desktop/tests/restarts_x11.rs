//! The server goes and comes back while a real agent is in each state. Nobody
//! has to do anything; no silence becomes a yes.

use std::time::Duration;

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, CONSENT, Display, Hand, NOTICE, Server, until};

struct Stage {
    server: Server,
    display: Display,
    login: String,
    code: String,
    session: String,
}

impl Stage {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(1024, 768)?;
        let login = server.login(&server.admin)?;
        let (code, session) = server.code(&login, "control")?;
        Ok(Self { server, display, login, code, session })
    }

    fn agent(&self) -> Result<Agent> {
        Agent::start(&self.server, &self.display, &self.code)
    }

    fn state(&self) -> Result<String> {
        Ok(self.server.session(&self.login, &self.session)?["state"].as_str().unwrap_or_default().to_owned())
    }

    fn await_state(&self, state: &str) -> Result<()> {
        self.server.await_state(&self.login, &self.session, state).map(drop)
    }
}

#[test]
fn before_anybody_has_come() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.server.kill_and_restart()?;
    ensure!(stage.state()? == "waiting", "{}", stage.state()?);
    let _agent = stage.agent()?;
    Hand(&stage.display).allow()?;
    stage.await_state("live")
}

#[test]
fn while_the_agent_looks_for_it() -> Result<()> {
    let mut stage = Stage::new()?;
    stage.server.kill()?;
    let agent = Agent::start_at(&stage.server, &stage.server.url, &stage.display, &stage.code)?;
    until("the agent noticing", Duration::from_secs(20), || {
        Ok(agent.log().contains("trying again after a pause").then_some(()))
    })?;
    stage.server.restart()?;
    Hand(&stage.display).allow()?;
    stage.await_state("live")
}

#[test]
fn while_the_person_is_asked() -> Result<()> {
    let mut stage = Stage::new()?;
    let _agent = stage.agent()?;
    Hand(&stage.display).await_window(CONSENT)?;
    stage.await_state("pending")?;
    stage.server.kill()?;
    stage.server.restart()?;
    // Asked anew, and nobody gets in before the answer.
    until("the agent coming back", Duration::from_secs(25), || Ok((stage.state()? == "pending").then_some(())))?;
    ensure!(stage.server.session(&stage.login, &stage.session)?["machine"].is_null(), "the machine shows");
    Hand(&stage.display).allow()?;
    stage.await_state("live")
}

#[test]
fn while_the_agent_is_away() -> Result<()> {
    let mut stage = Stage::new()?;
    let mut agent = stage.agent()?;
    Hand(&stage.display).allow()?;
    stage.await_state("live")?;
    agent.child().pause()?;
    stage.server.kill()?;
    stage.server.restart()?;
    ensure!(stage.state()? == "suspended", "{}", stage.state()?);
    agent.child().resume()?;
    stage.await_state("live")?;
    ensure!(Hand(&stage.display).window(CONSENT).is_none(), "the person was asked again");
    Hand(&stage.display).await_window(NOTICE).map(drop)
}

#[test]
fn after_the_end() -> Result<()> {
    let mut stage = Stage::new()?;
    let mut agent = stage.agent()?;
    Hand(&stage.display).allow()?;
    stage.await_state("live")?;
    // Ended while the server is away: told to it when it is back.
    stage.server.kill()?;
    Hand(&stage.display).dialog_button(NOTICE, 0)?;
    Hand(&stage.display).await_gone(NOTICE)?;
    stage.server.restart()?;
    agent.await_end()?;
    let state = stage.state()?;
    ensure!(state == "ended" || state == "suspended", "{state}");
    ensure!(stage.server.get(&format!("/api/sessions/{}", stage.session), &stage.login).is_ok(), "the record is gone");
    Ok(())
}
