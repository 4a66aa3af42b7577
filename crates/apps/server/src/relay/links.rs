//! Who is connected to a session right now, and the hot path between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use gc_access::Access;
use gc_protocol::header::{self, AgentHeader, RELAY, STREAM_BIT};
use gc_protocol::messages::{Body, ViewerStatistics};
use gc_protocol::{Ending, RawEnvelope, encode, encode_framed};
use tokio::sync::Notify;
use uuid::Uuid;

use super::awaited::Awaited;
use super::outbox::Outbox;
use crate::meters::RelayMeters;

/// Most streams that an agent may name for a session.
const MOST_STREAMS: usize = 64;
/// Field number of `VideoFrame`: the only message a slow viewer may miss.
const VIDEO_FRAME: u32 = 1;

/// Whether anybody looks on, for whoever reads the agent's messages: a watched
/// agent is asked more often whether it is there.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    now: AtomicBool,
    changed: Notify,
}

impl Watched {
    pub(crate) fn now(&self) -> bool {
        self.now.load(Ordering::Acquire)
    }

    fn set(&self, watched: bool) {
        if self.now.swap(watched, Ordering::AcqRel) != watched {
            self.changed.notify_one();
        }
    }

    /// Wait until it has changed. One task at a time.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The agent's end.
#[derive(Debug, Clone)]
pub(crate) struct AgentLink {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) watched: Arc<Watched>,
    pub(crate) slot: u32,
    pub(crate) connection: Uuid,
    pub(crate) address: IpAddr,
}

/// A viewer's end.
#[derive(Debug, Clone)]
pub(crate) struct ViewerLink {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) access: Access,
    pub(crate) user_id: Uuid,
    pub(crate) credential: Uuid,
    pub(crate) name: String,
    /// The display that it wanted to see when it came.
    pub(crate) display: u32,
    /// The codecs that it decodes.
    pub(crate) decodable: Vec<i32>,
    /// Since when, UTC milliseconds.
    pub(crate) since: i64,
    /// The picture whose acknowledgement is timed.
    pub(crate) awaited: Awaited,
    /// How pictures reach it, as it said last, and when, in UTC milliseconds.
    pub(crate) statistics: Option<(ViewerStatistics, i64)>,
}

/// Everybody connected to one session.
#[derive(Debug)]
pub(crate) struct Links {
    agent: Option<AgentLink>,
    viewers: BTreeMap<u32, ViewerLink>,
    pub(crate) controller: Option<u32>,
    /// The setting `several_controllers`: nobody takes control from another.
    pub(crate) parallel_control: bool,
    pub(crate) hostname: String,
    pub(crate) operating_system: String,
    pub(crate) obstacle: String,
    streams: HashMap<u32, BTreeSet<u32>>,
    meters: Arc<RelayMeters>,
}

impl Links {
    /// Nobody is connected; what is known of the machine from before.
    pub(crate) fn new(hostname: String, operating_system: String, meters: Arc<RelayMeters>) -> Self {
        Self {
            agent: None,
            viewers: BTreeMap::new(),
            controller: None,
            parallel_control: false,
            hostname,
            operating_system,
            obstacle: String::new(),
            streams: HashMap::new(),
            meters,
        }
    }

    /// Send the agent a message of the relay's own.
    pub(crate) fn to_agent(&self, body: Body) {
        if let Some(agent) = &self.agent {
            let message = encode_framed(AgentHeader::new(agent.slot, RELAY), body);
            self.push_to_agent(agent, message);
        }
    }

    /// Send the agent a message that the relay wrote anew for a viewer.
    pub(crate) fn to_agent_from(&self, viewer: u32, body: Body) {
        self.forward_to_agent(viewer, &encode(body));
    }

    /// Pass a viewer's message on to the agent, untouched behind its header.
    pub(crate) fn forward_to_agent(&self, viewer: u32, message: &Bytes) {
        let Some(agent) = &self.agent else { return };
        self.meters.viewer_bytes.increment(message.len() as u64);
        let mut framed = BytesMut::with_capacity(header::LENGTH + message.len());
        framed.put_slice(&AgentHeader::new(agent.slot, viewer).to_bytes());
        framed.put_slice(message);
        self.push_to_agent(agent, framed.freeze());
    }

    /// Whether input of this viewer counts now.
    pub(crate) fn controls(&self, viewer: u32) -> bool {
        let may = self.viewers.get(&viewer).is_some_and(|link| link.access == Access::Control);
        may && (self.parallel_control || self.controller == Some(viewer))
    }

    /// Send one viewer a message of the relay's own.
    pub(crate) fn to_viewer(&self, viewer: u32, body: Body) {
        if let Some(link) = self.viewers.get(&viewer) {
            self.push(link, encode(body));
        }
    }

    /// Send every viewer a message of the relay's own.
    pub(crate) fn to_viewers(&self, body: Body) {
        let message = encode(body);
        for link in self.viewers.values() {
            self.push(link, message.clone());
        }
    }

    /// Pass a message of the agent on this connection on to the viewer, or the
    /// stream's subscribers, that it names. [`Self::announce`] has to follow.
    pub(crate) fn forward_to_viewers(&mut self, connection: Uuid, peer: u32, raw: &RawEnvelope) {
        if !self.is_agent(connection) {
            return;
        }
        let is_picture = raw.field() == VIDEO_FRAME;
        let length = raw.bytes().len() as u64;
        if is_picture {
            self.meters.pictures.increment(1);
            self.meters.picture_bytes.increment(length);
        } else {
            self.meters.news_bytes.increment(length);
        }
        let one = (peer & STREAM_BIT == 0).then_some(&peer);
        let subscribers = self.streams.get(&peer).into_iter().flatten();
        for viewer in one.into_iter().chain(subscribers) {
            let Some(link) = self.viewers.get_mut(viewer) else { continue };
            let pushed = link.outbox.push_quietly(raw.bytes().clone());
            if !is_picture {
                if pushed.is_err() {
                    too_slow(link, &self.meters);
                }
            } else if pushed.is_ok() {
                link.awaited.sent(raw);
            } else {
                // A frame that finds no room is missed: the viewer sees the
                // gap and asks for a refresh.
                self.meters.missed.increment(1);
            }
        }
    }

    /// What was passed on goes out now.
    pub(crate) fn announce(&self) {
        for link in self.viewers.values() {
            link.outbox.announce();
        }
    }

    /// A viewer has acknowledged a picture.
    pub(crate) fn acknowledged(&mut self, viewer: u32, raw: &RawEnvelope) {
        if let Some(took) = self.viewers.get_mut(&viewer).and_then(|link| link.awaited.acknowledged(raw)) {
            self.meters.acknowledged.record(took.as_secs_f64());
        }
    }

    /// A viewer says how pictures reach it.
    pub(crate) fn measured(&mut self, viewer: u32, statistics: ViewerStatistics, at: i64) {
        if let Some(link) = self.viewers.get_mut(&viewer) {
            link.statistics = Some((statistics, at));
        }
    }

    fn push(&self, link: &ViewerLink, message: Bytes) {
        push(link, message, &self.meters);
    }

    fn push_to_agent(&self, agent: &AgentLink, message: Bytes) {
        if agent.outbox.push(message).is_err() {
            self.meters.flooded.increment(1);
            end_agent(&agent.outbox, Ending::Flooding, "The agent's connection is too slow.");
        }
    }

    /// From now on a viewer follows this stream and no other.
    pub(crate) fn assign(&mut self, viewer: u32, stream: u32) {
        self.forget(viewer);
        let known = self.streams.contains_key(&stream);
        if stream & STREAM_BIT == 0
            || !self.viewers.contains_key(&viewer)
            || (!known && self.streams.len() >= MOST_STREAMS)
        {
            return;
        }
        self.streams.entry(stream).or_default().insert(viewer);
    }

    /// The agent's end, while it is connected.
    pub(crate) fn agent(&self) -> Option<&AgentLink> {
        self.agent.as_ref()
    }

    /// Whether this connection is the agent's: one that another has replaced
    /// says nothing more.
    pub(crate) fn is_agent(&self, connection: Uuid) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.connection == connection)
    }

    /// An agent is there.
    pub(crate) fn set_agent(&mut self, link: AgentLink) {
        self.agent = Some(link);
        self.tell_watched();
    }

    /// The viewers' ends, by number.
    pub(crate) fn viewers(&self) -> &BTreeMap<u32, ViewerLink> {
        &self.viewers
    }

    /// A viewer is there.
    pub(crate) fn add(&mut self, viewer: u32, link: ViewerLink) {
        self.viewers.insert(viewer, link);
        self.tell_watched();
    }

    /// A viewer is gone.
    pub(crate) fn remove(&mut self, viewer: u32) -> Option<ViewerLink> {
        self.forget(viewer);
        let link = self.viewers.remove(&viewer);
        self.tell_watched();
        link
    }

    /// The agent is gone, and its streams with it.
    pub(crate) fn remove_agent(&mut self) -> Option<AgentLink> {
        self.streams.clear();
        self.agent.take()
    }

    /// Everybody is gone.
    pub(crate) fn clear(&mut self) -> (Option<AgentLink>, BTreeMap<u32, ViewerLink>) {
        (self.remove_agent(), std::mem::take(&mut self.viewers))
    }

    fn tell_watched(&self) {
        if let Some(agent) = &self.agent {
            agent.watched.set(!self.viewers.is_empty());
        }
    }

    fn forget(&mut self, viewer: u32) {
        self.streams.retain(|_, viewers| {
            viewers.remove(&viewer);
            !viewers.is_empty()
        });
    }
}

fn push(link: &ViewerLink, message: Bytes, meters: &RelayMeters) {
    if link.outbox.push(message).is_err() {
        too_slow(link, meters);
    }
}

fn too_slow(link: &ViewerLink, meters: &RelayMeters) {
    meters.flooded.increment(1);
    end(&link.outbox, Ending::Flooding, "Your connection is too slow for this session.");
}

/// Say goodbye to a viewer and close.
pub(crate) fn end(outbox: &Outbox, ending: Ending, text: &str) {
    outbox.close(ending, text, encode(ending.message(text)));
}

/// Say goodbye to an agent and close.
pub(crate) fn end_agent(outbox: &Outbox, ending: Ending, text: &str) {
    let message = encode_framed(AgentHeader::connection(), ending.message(text));
    outbox.close(ending, text, message);
}
