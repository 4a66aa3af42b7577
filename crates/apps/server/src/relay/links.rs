//! Who is connected to a session right now, and the hot path between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use gc_access::Access;
use gc_protocol::header::{self, AgentHeader, RELAY, STREAM_BIT};
use gc_protocol::messages::Body;
use gc_protocol::{Ending, encode, encode_framed};
use uuid::Uuid;

use super::outbox::Outbox;

/// Most streams that an agent may name for a session.
const MOST_STREAMS: usize = 64;
/// Field number of `VideoFrame`: the only message a slow viewer may miss.
const VIDEO_FRAME: u32 = 1;

/// The agent's end.
#[derive(Debug, Clone)]
pub(crate) struct AgentLink {
    pub(crate) outbox: Arc<Outbox>,
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
    pub(crate) login_id: Uuid,
    pub(crate) name: String,
    /// The display that it wanted to see when it came.
    pub(crate) display: u32,
    /// Since when, UTC milliseconds.
    pub(crate) since: i64,
}

/// Everybody connected to one session.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) agent: Option<AgentLink>,
    pub(crate) viewers: BTreeMap<u32, ViewerLink>,
    pub(crate) controller: Option<u32>,
    /// The setting `several_controllers`: nobody takes control from another.
    pub(crate) parallel_control: bool,
    pub(crate) hostname: String,
    pub(crate) operating_system: String,
    pub(crate) obstacle: String,
    streams: HashMap<u32, BTreeSet<u32>>,
}

impl Links {
    /// Nobody is connected; what is known of the machine from before.
    pub(crate) fn new(hostname: String, operating_system: String) -> Self {
        Self { hostname, operating_system, ..Self::default() }
    }

    /// Send the agent a message of the relay's own.
    pub(crate) fn to_agent(&self, body: Body) {
        if let Some(agent) = &self.agent {
            let message = encode_framed(AgentHeader::new(agent.slot, RELAY), body);
            push_to_agent(agent, message);
        }
    }

    /// Send the agent a message that the relay wrote anew for a viewer.
    pub(crate) fn to_agent_from(&self, viewer: u32, body: Body) {
        self.forward_to_agent(viewer, &encode(body));
    }

    /// Pass a viewer's message on to the agent, untouched behind its header.
    pub(crate) fn forward_to_agent(&self, viewer: u32, message: &Bytes) {
        let Some(agent) = &self.agent else { return };
        let mut framed = BytesMut::with_capacity(header::LENGTH + message.len());
        framed.put_slice(&AgentHeader::new(agent.slot, viewer).to_bytes());
        framed.put_slice(message);
        push_to_agent(agent, framed.freeze());
    }

    /// Whether input of this viewer counts now.
    pub(crate) fn controls(&self, viewer: u32) -> bool {
        let may = self.viewers.get(&viewer).is_some_and(|link| link.access == Access::Control);
        may && (self.parallel_control || self.controller == Some(viewer))
    }

    /// Send one viewer a message of the relay's own.
    pub(crate) fn to_viewer(&self, viewer: u32, body: Body) {
        if let Some(link) = self.viewers.get(&viewer) {
            push(link, encode(body));
        }
    }

    /// Send every viewer a message of the relay's own.
    pub(crate) fn to_viewers(&self, body: Body) {
        let message = encode(body);
        for link in self.viewers.values() {
            push(link, message.clone());
        }
    }

    /// Pass an agent's message on to the viewer, or the stream's subscribers,
    /// that it names.
    pub(crate) fn forward_to_viewers(&self, peer: u32, field: u32, message: &Bytes) {
        let one = BTreeSet::from([peer]);
        let to = if peer & STREAM_BIT == 0 { Some(&one) } else { self.streams.get(&peer) };
        for link in to.into_iter().flatten().filter_map(|viewer| self.viewers.get(viewer)) {
            if field == VIDEO_FRAME {
                // A frame that finds no room is missed: the viewer sees the
                // gap and asks for a refresh.
                let _missed: Result<(), _> = link.outbox.push(message.clone());
            } else {
                push(link, message.clone());
            }
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

    /// A viewer is gone.
    pub(crate) fn remove(&mut self, viewer: u32) -> Option<ViewerLink> {
        self.forget(viewer);
        self.viewers.remove(&viewer)
    }

    /// The agent is gone, and its streams with it.
    pub(crate) fn remove_agent(&mut self) -> Option<AgentLink> {
        self.streams.clear();
        self.agent.take()
    }

    fn forget(&mut self, viewer: u32) {
        self.streams.retain(|_, viewers| {
            viewers.remove(&viewer);
            !viewers.is_empty()
        });
    }
}

fn push(link: &ViewerLink, message: Bytes) {
    if link.outbox.push(message).is_err() {
        end(&link.outbox, Ending::Flooding, "Your connection is too slow for this session.");
    }
}

fn push_to_agent(agent: &AgentLink, message: Bytes) {
    if agent.outbox.push(message).is_err() {
        end_agent(&agent.outbox, Ending::Flooding, "The agent's connection is too slow.");
    }
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
