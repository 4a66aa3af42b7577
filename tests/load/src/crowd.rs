//! Many agents and viewers at one server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_tests::Process;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::agent::{Agent, Moved};
use crate::figures::{Figures, Spread};
use crate::socket::SMALL;
use crate::usage::Usage;
use crate::viewer::Viewer;

/// Who comes at once.
const AT_ONCE: usize = 16;

/// How many, and what they do.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Agents with a live session that nobody watches.
    pub idle: usize,
    /// Sessions with a viewer and a screen that moves.
    pub moving: usize,
    /// Pictures a second of each.
    pub rate: u32,
    /// Bytes of a picture.
    pub bytes: usize,
    /// How long they move.
    pub time: Duration,
}

/// Agents that are there until this is dropped.
pub struct Crowd {
    server: Arc<Process>,
    idle: JoinSet<Result<()>>,
}

impl std::fmt::Debug for Crowd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Crowd").field("idle", &self.idle.len()).finish_non_exhaustive()
    }
}

impl Crowd {
    /// Nobody yet.
    #[must_use]
    pub fn new(server: Arc<Process>) -> Self {
        Self { server, idle: JoinSet::new() }
    }

    /// `count` agents, each with a session to which its person has said yes.
    async fn agents(&self, count: usize) -> Result<Vec<(String, Agent)>> {
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let mut coming = JoinSet::new();
        for _ in 0..count {
            let (server, gate) = (self.server.clone(), gate.clone());
            coming.spawn(async move {
                let _one = gate.acquire().await?;
                let code = server.admin.code("view").await?;
                let agent = Agent::enter(server.address, &code.code).await?;
                Ok::<_, anyhow::Error>((code.session, agent))
            });
        }
        let mut all = Vec::with_capacity(count);
        while let Some(one) = coming.join_next().await {
            all.push(one??);
        }
        Ok(all)
    }

    /// Let `count` idle agents come and stay; the server's memory for each, in
    /// bytes, and its processor time for each while they came.
    ///
    /// # Errors
    /// When one is not let in.
    pub async fn gather(&mut self, count: usize) -> Result<(f64, Duration)> {
        // What is allocated once is there by then.
        for (_, agent) in self.agents(64).await? {
            self.idle.spawn(agent.idle());
        }
        settle().await;
        let before = Usage::of(self.server.id())?;
        for (_, agent) in self.agents(count).await? {
            self.idle.spawn(agent.idle());
        }
        settle().await;
        let after = Usage::of(self.server.id())?;
        self.all_there()?;
        let each = (after.memory as f64 - before.memory as f64) / count as f64;
        Ok((each, (after.cpu - before.cpu) / u32::try_from(count)?))
    }

    /// What the server costs while nobody does anything, as a part of one core.
    ///
    /// # Errors
    /// When an agent was thrown out.
    pub async fn rest(&mut self, time: Duration) -> Result<f64> {
        let before = Usage::of(self.server.id())?;
        tokio::time::sleep(time).await;
        self.all_there()?;
        Ok((Usage::of(self.server.id())?.cpu - before.cpu).as_secs_f64() / time.as_secs_f64())
    }

    fn all_there(&mut self) -> Result<()> {
        match self.idle.try_join_next() {
            None => Ok(()),
            Some(gone) => gone?.context("an idle agent is gone"),
        }
    }

    /// Sessions whose screens move, beside the idle agents.
    ///
    /// # Errors
    /// When somebody is not let in or thrown out.
    pub async fn moving(&mut self, scale: &Scale, figures: &mut Figures) -> Result<()> {
        let mut viewers = JoinSet::new();
        let mut ready = Vec::new();
        for (session, agent) in self.agents(scale.moving).await? {
            self.server.state(&session, "live").await?;
            let token = self.server.admin.mint(&session, "view_only").await?;
            let viewer = Viewer::enter(self.server.address, &session, &token, SMALL).await?;
            ready.push(agent);
            viewers.spawn(viewer.watch());
        }
        let before = Usage::of(self.server.id())?;
        let begun = Instant::now();
        let (every, until) = (Duration::from_secs(1) / scale.rate, begun + scale.time);
        let mut agents = JoinSet::new();
        for (number, agent) in ready.into_iter().enumerate() {
            // Not all in the same moment.
            let begins = every * u32::try_from(number)? / u32::try_from(scale.moving)?;
            let bytes = scale.bytes;
            agents.spawn(async move {
                tokio::time::sleep(begins).await;
                agent.moving(bytes, every, until).await
            });
        }
        let mut all = Moved::default();
        let mut stay = Vec::new();
        while let Some(one) = agents.join_next().await {
            let (agent, moved) = one??;
            stay.push(agent);
            all.sent += moved.sent;
            all.waited += moved.waited;
            all.acknowledged.extend(moved.acknowledged);
        }
        let took = begun.elapsed();
        let after = Usage::of(self.server.id())?;
        ensure!(viewers.try_join_next().is_none(), "a viewer was thrown out");
        self.all_there()?;
        figures
            .row("moving")
            .put("sessions", scale.moving as f64)
            .put("idle_agents", self.idle.len() as f64)
            .put("pictures_per_s", all.sent as f64 / took.as_secs_f64())
            .put("waited", all.waited as f64)
            .put("cpu_cores", (after.cpu - before.cpu).as_secs_f64() / took.as_secs_f64())
            .put("memory_mib", after.memory as f64 / f64::from(1 << 20))
            .spread("ack_ms", Spread::of_times(&all.acknowledged));
        Ok(())
    }
}

/// Whatever arrivals began in the background has gone through.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}
