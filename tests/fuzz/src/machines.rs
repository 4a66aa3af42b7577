//! The session machines, driven by any sequence of events.

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use gc_access::Access;
use gc_keys::Release;
use gc_protocol::limits;
use gc_protocol::messages::{AccessMode, ConsentReason};
use gc_session::agent::{AgentSession, Injection};
use gc_session::relay::{MOST_VIEWERS, Verdict};
use gc_session::throttle::InputThrottle;
use gc_session::viewer::ViewerSession;
use gc_session::{EndReason, Phase, RelaySession};

fn access(input: &mut Unstructured<'_>) -> Result<Access> {
    Ok(if input.arbitrary()? { Access::Control } else { Access::ViewOnly })
}

/// Nobody looks in before consent, nobody gets more than it, one at most
/// controls, and what has ended stays so.
pub(crate) fn relay_session(data: &[u8]) {
    let _: Result<()> = run_relay(&mut Unstructured::new(data));
}

fn run_relay(input: &mut Unstructured<'_>) -> Result<()> {
    let requested = access(input)?;
    let mut session = RelaySession::new("s".into(), "Ada".into(), "Acme".into(), requested);
    // The most that the person has said yes to, kept apart from the machine.
    let mut ceiling = None;
    if input.arbitrary()? {
        let stored = input.arbitrary::<bool>()?.then(|| access(input)).transpose()?;
        session = session.restored(stored, Duration::ZERO);
        ceiling = stored;
    }
    let mut now = Duration::ZERO;
    let mut verdict: Option<Verdict> = None;
    while !input.is_empty() {
        let ended = matches!(session.phase(), Phase::Ended(_));
        match input.int_in_range(0..=9)? {
            0 => {
                let remembered = input.arbitrary::<bool>()?.then(|| access(input)).transpose()?;
                session.agent_arrived(remembered, now);
            }
            1 => drop(session.agent_lost(now)),
            2 => drop(session.ask_for_control("Bob".into(), now)),
            3 => {
                let id = format!("s:{}", input.int_in_range(0..=4)?);
                let answered = session.answer(&id, input.arbitrary()?, ConsentReason::Answered);
                verdict = answered.or(verdict);
            }
            4 => {
                if let Some(verdict) = verdict.take() {
                    if verdict.granted && matches!(session.phase(), Phase::Pending | Phase::Live) {
                        ceiling = ceiling.max(Some(verdict.access));
                    }
                    session.verdict_stored(verdict, now);
                }
            }
            5 => {
                now += Duration::from_millis(u64::from(input.arbitrary::<u16>()?) * 20);
                let (_, due) = session.tick(now);
                verdict = due.or(verdict);
                if let Some(deadline) = session.next_deadline() {
                    assert!(deadline > now || verdict.is_some(), "a deadline that passed is due for ever");
                }
            }
            6 => {
                let wanted = access(input)?;
                if let Ok((id, _)) = session.join("Eve".into(), wanted) {
                    assert!(session.viewers()[&id].access <= wanted, "more than the token says");
                }
            }
            7 => drop(session.leave(input.int_in_range(0..=20)?)),
            8 => drop(session.control(input.int_in_range(0..=20)?, input.arbitrary()?)),
            _ => {
                if input.int_in_range(0..=9)? == 0 {
                    session.end(EndReason::Removed);
                }
            }
        }
        if session.accepted() < ceiling {
            ceiling = session.accepted();
        }
        check_relay(&session, ceiling, ended);
    }
    Ok(())
}

fn check_relay(session: &RelaySession, ceiling: Option<Access>, ended: bool) {
    assert!(session.accepted() <= ceiling, "more than the person said: {:?} > {ceiling:?}", session.accepted());
    assert!(session.viewers().len() <= MOST_VIEWERS);
    if matches!(session.phase(), Phase::Waiting | Phase::Pending | Phase::Ended(_)) {
        assert!(session.viewers().is_empty(), "somebody looks in while {:?}", session.phase());
    }
    for viewer in session.viewers().values() {
        assert!(Some(viewer.access) <= session.accepted(), "a viewer may more than was accepted");
    }
    if let Some(id) = session.controller() {
        let viewer = session.viewers().get(&id).expect("who controls is there");
        assert_eq!(viewer.access, Access::Control);
    }
    assert!(!ended || matches!(session.phase(), Phase::Ended(_)), "what has ended goes on");
}

/// Only controllers act, only after consent, and everything that went down
/// comes up.
pub(crate) fn agent_session(data: &[u8]) {
    let _: Result<()> = run_agent(&mut Unstructured::new(data));
}

fn run_agent(input: &mut Unstructured<'_>) -> Result<()> {
    let mut session = AgentSession::default();
    let mut down: BTreeSet<Release> = BTreeSet::new();
    while !input.is_empty() {
        let viewer = input.int_in_range(1..=4)?;
        let done = match input.int_in_range(0..=7)? {
            0 => {
                session.accept(access(input)?);
                Vec::new()
            }
            1 => {
                session.lower(input.arbitrary::<bool>()?.then(|| access(input)).transpose()?);
                Vec::new()
            }
            2 => {
                let mode = *input.choose(&[AccessMode::AccessViewOnly.into(), AccessMode::AccessControl.into(), 77])?;
                let joined = session.viewer_joined(viewer, "Eve\u{202e}", mode);
                assert!(!joined || session.accepted().is_some(), "somebody joined without consent");
                Vec::new()
            }
            3 => session.viewer_left(viewer),
            4 => {
                let done = session.disconnected();
                note(&mut down, &done);
                assert!(down.is_empty() && session.viewers().is_empty(), "held after the line was lost: {down:?}");
                Vec::new()
            }
            _ => {
                let Some(body) = crate::wire::body(input)? else { continue };
                let controls = session.viewers().get(&viewer).is_some_and(|there| there.access == Access::Control);
                match session.input(viewer, &body) {
                    Ok(done) => {
                        assert!(controls, "somebody who may not acted");
                        done
                    }
                    Err(_) => Vec::new(),
                }
            }
        };
        note(&mut down, &done);
        let nobody = session.viewers().values().all(|there| there.access == Access::ViewOnly);
        if nobody && session.viewers().is_empty() {
            note(&mut down, &session.release_all());
            assert!(down.is_empty(), "held while nobody is there: {down:?}");
        }
    }
    Ok(())
}

/// Keep account of what is down.
fn note(down: &mut BTreeSet<Release>, done: &[Injection]) {
    for injection in done {
        match injection {
            Injection::Button(button, true) => drop(down.insert(Release::Button(*button))),
            Injection::Button(button, false) => drop(down.remove(&Release::Button(*button))),
            Injection::Key(key, pressed) => {
                let what = Release::Key { scan_code: key.scan_code.into(), extended: key.extended };
                if *pressed {
                    down.insert(what);
                } else {
                    down.remove(&what);
                }
            }
            Injection::Release(what) => drop(down.remove(what)),
            _ => {}
        }
    }
}

/// A hostile relay cannot make a viewer fall over.
pub(crate) fn viewer_session(data: &[u8]) {
    let _: Result<()> = run_viewer(&mut Unstructured::new(data));
}

fn run_viewer(input: &mut Unstructured<'_>) -> Result<()> {
    let (mut session, _) = ViewerSession::open("fuzz", 0, true, Duration::ZERO);
    let mut now = Duration::ZERO;
    while !input.is_empty() {
        now += Duration::from_millis(input.int_in_range(0..=3000)?);
        match input.int_in_range(0..=5)? {
            0 => drop(session.tick(now)),
            1 => drop(session.broken()),
            2 => drop(session.ask_again_late(now)),
            3 => drop(session.received(Bytes::copy_from_slice(input.bytes(input.len().min(40))?), now)),
            _ => {
                if let Some(body) = crate::wire::body(input)? {
                    drop(session.received(gc_protocol::encode(body), now));
                }
            }
        }
        assert!(session.displays().len() <= limits::DISPLAYS);
    }
    Ok(())
}

/// Transitions are neither lost nor changed in order; moves may melt.
pub(crate) fn throttle(data: &[u8]) {
    let mut throttle = InputThrottle::new(Duration::ZERO);
    let (mut now, mut offered, mut passed) = (Duration::ZERO, Vec::new(), Vec::new());
    for (index, byte) in data.iter().enumerate() {
        if byte & 0xc0 == 0xc0 {
            now += Duration::from_millis(u64::from(byte & 0x3f));
            passed.extend(std::iter::from_fn(|| throttle.next(now)));
            continue;
        }
        let field = if byte & 1 == 0 { 3 } else { 4 };
        let message = Bytes::from([&[field as u8], &(index as u32).to_be_bytes()[..]].concat());
        if throttle.offer(field, message.clone()).is_err() {
            return;
        }
        offered.push(message);
    }
    while let Some(wait) = throttle.wait() {
        now += wait;
        passed.extend(std::iter::from_fn(|| throttle.next(now)));
    }
    let transitions = |all: &[Bytes]| all.iter().filter(|message| message[0] == 4).cloned().collect::<Vec<_>>();
    assert_eq!(transitions(&passed), transitions(&offered));
    assert!(passed.windows(2).all(|pair| pair[0][1..] < pair[1][1..]), "out of order");
    assert_eq!(passed.last().map(|last| &last[..]), offered.last().map(|last| &last[..]), "the last place is lost");
}
