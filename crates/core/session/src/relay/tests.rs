use super::*;

const S: Duration = Duration::from_secs(1);

fn session(requested: Access) -> RelaySession {
    RelaySession::new("s".into(), "Ada".into(), "Acme".into(), requested)
}

fn asked(actions: &[Action]) -> ConsentRequest {
    let found = actions.iter().find_map(|action| match action {
        Action::Agent(Body::ConsentRequest(request)) => Some(request.clone()),
        _ => None,
    });
    found.expect("nobody was asked")
}

fn live(requested: Access) -> RelaySession {
    let mut session = session(requested);
    let request = asked(&session.agent_arrived(None, S));
    let verdict = session.answer(&request.request_id, true, ConsentReason::Answered).expect("no verdict");
    session.verdict_stored(verdict, S * 10);
    assert_eq!(session.phase(), Phase::Live);
    session
}

#[test]
fn nobody_looks_in_before_consent() {
    let mut session = session(Access::Control);
    assert_eq!(session.join("Ada".into(), Access::Control), Err(JoinRefusal::ConsentPending));
    let request = asked(&session.agent_arrived(None, S));
    assert_eq!((request.technician_name.as_str(), request.organization.as_str()), ("Ada", "Acme"));
    assert_eq!(session.join("Ada".into(), Access::Control), Err(JoinRefusal::ConsentPending));
    let verdict = session.answer(&request.request_id, true, ConsentReason::Answered).expect("no verdict");
    // Answered, and not yet stored.
    assert_eq!(session.join("Ada".into(), Access::Control), Err(JoinRefusal::ConsentPending));
    session.verdict_stored(verdict, S * 10);
    assert!(session.join("Ada".into(), Access::Control).is_ok());
}

#[test]
fn every_way_of_not_accepting_ends_it() {
    for (reason, expected) in [
        (ConsentReason::Answered, EndReason::Denied),
        (ConsentReason::Closed, EndReason::Denied),
        (ConsentReason::NoPrompt, EndReason::Denied),
        (ConsentReason::TimedOut, EndReason::TimedOut),
    ] {
        let mut session = session(Access::Control);
        let request = asked(&session.agent_arrived(None, S));
        let verdict = session.answer(&request.request_id, false, reason).expect("no verdict");
        let actions = session.verdict_stored(verdict, S * 10);
        assert!(actions.contains(&Action::End(expected, Ending::NotPermitted)), "{reason:?}");
        assert_eq!(session.phase(), Phase::Ended(expected));
    }
}

#[test]
fn the_relay_itself_counts_the_seconds() {
    let mut session = session(Access::Control);
    let request = asked(&session.agent_arrived(None, S));
    assert_eq!(session.next_deadline(), Some(S * 61));
    assert_eq!(session.tick(S * 60), (vec![], None));
    let (_, verdict) = session.tick(S * 61);
    let verdict = verdict.expect("time is over");
    // The click comes a moment too late.
    assert_eq!(session.answer(&request.request_id, true, ConsentReason::Answered), None);
    session.verdict_stored(verdict, S * 10);
    assert_eq!(session.phase(), Phase::Ended(EndReason::TimedOut));
}

#[test]
fn repeated_and_foreign_answers_are_ignored() {
    let mut session = session(Access::ViewOnly);
    let request = asked(&session.agent_arrived(None, S));
    assert_eq!(session.answer("s:9", true, ConsentReason::Answered), None);
    assert!(session.answer(&request.request_id, true, ConsentReason::Answered).is_some());
    assert_eq!(session.answer(&request.request_id, false, ConsentReason::Answered), None);
}

#[test]
fn an_agent_that_dies_while_asking_ends_it() {
    let mut session = session(Access::Control);
    session.agent_arrived(None, S);
    session.agent_lost(S * 2);
    assert_eq!(session.phase(), Phase::Ended(EndReason::AgentLost));
}

#[test]
fn the_answer_is_a_ceiling() {
    let mut session = live(Access::ViewOnly);
    let (id, _) = session.join("Ada".into(), Access::Control).expect("joined");
    assert_eq!(session.viewers()[&id].access, Access::ViewOnly);
    assert_eq!(session.controller(), None);
    assert!(session.control(id, true).is_empty());
}

#[test]
fn control_in_mid_session() {
    let mut session = live(Access::ViewOnly);
    let request = asked(&session.ask_for_control("Bob".into(), S * 9).expect("asked"));
    assert_eq!(session.ask_for_control("Bob".into(), S * 9), Err(AskRefusal::Asking));
    let verdict = session.answer(&request.request_id, false, ConsentReason::Answered).expect("no verdict");
    session.verdict_stored(verdict, S * 10);
    // A no to more leaves what was accepted.
    assert_eq!((session.phase(), session.accepted()), (Phase::Live, Some(Access::ViewOnly)));
    // And is left in peace for a while.
    let refusal = session.ask_for_control("Bob".into(), S * 15);
    assert_eq!(refusal, Err(AskRefusal::JustRefused(S * 25)));
    let request = asked(&session.ask_for_control("Bob".into(), S * 40).expect("asked again"));
    let verdict = session.answer(&request.request_id, true, ConsentReason::Answered).expect("no verdict");
    session.verdict_stored(verdict, S * 10);
    assert_eq!(session.accepted(), Some(Access::Control));
    assert_eq!(session.ask_for_control("Bob".into(), S * 11), Err(AskRefusal::AlreadyAccepted));
}

#[test]
fn the_lesser_memory_holds_after_a_restart() {
    use Access::{Control, ViewOnly};
    for (ours, theirs, expected) in [
        (Some(Control), Some(Control), Some(Control)),
        (Some(Control), Some(ViewOnly), Some(ViewOnly)),
        (Some(ViewOnly), Some(Control), Some(ViewOnly)),
        (Some(Control), None, None),
        (None, Some(Control), None),
    ] {
        let mut session = session(Control).restored(ours, S);
        session.agent_arrived(theirs, S * 2);
        assert_eq!(session.accepted(), expected, "{ours:?} {theirs:?}");
        assert_eq!(session.phase() == Phase::Live, expected.is_some());
    }
}

#[test]
fn away_too_long() {
    let mut session = live(Access::Control);
    session.agent_lost(S * 10);
    assert_eq!(session.tick(S * 609).0, vec![]);
    session.tick(S * 610);
    assert_eq!(session.phase(), Phase::Ended(EndReason::AgentLost));
}

#[test]
fn one_controls_and_the_last_to_ask_takes_over() {
    let mut session = live(Access::Control);
    let (ada, _) = session.join("Ada".into(), Access::Control).expect("joined");
    let (bob, _) = session.join("Bob".into(), Access::Control).expect("joined");
    let (eve, _) = session.join("Eve".into(), Access::ViewOnly).expect("joined");
    assert_eq!(session.controller(), Some(ada));
    assert!(session.control(eve, true).is_empty());
    let state = ControlState { controller: bob, name: "Bob".into() };
    assert_eq!(session.control(bob, true), [Action::Viewers(state.into())]);
    session.leave(bob);
    assert_eq!(session.controller(), Some(ada));
    session.control(ada, false);
    assert_eq!(session.controller(), None);
}

#[test]
fn ended_stays_ended() {
    let mut session = live(Access::Control);
    session.end(EndReason::Removed);
    assert!(session.end(EndReason::Denied).is_empty());
    assert!(session.agent_arrived(Some(Access::Control), S).is_empty());
    assert_eq!(session.join("Ada".into(), Access::Control), Err(JoinRefusal::Ended(EndReason::Removed)));
}
