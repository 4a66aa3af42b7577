//! The repositories, the same tests on both databases.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use gc_access::{Access, Permission, Role, Secret, SupportCode};
use gc_store::{
    AuditFilter, CodeFilter, CodeStatus, ConsentState, EndsLogins, Factor, NewAudit, NewCode, NewUser, SessionChange,
    SessionFilter, Status, Store, StoreError, UserChange, UserFilter, UserRow,
};
use gc_tests::TestDatabase;
use serde_json::json;
use uuid::Uuid;

/// 1 January 2026, with milliseconds that a coarser column would lose.
const NOW: i64 = 1_767_225_600_123;
/// A quarter of an hour, as codes live.
const LONGEST: i64 = 900_000;

/// The same test for SQLite, which is always there, and for PostgreSQL, whose
/// absence is a failure.
macro_rules! on_both {
    ($($test:ident => $postgres:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() -> Result<()> {
            let (folder, database) = (tempfile::tempdir()?, TestDatabase::sqlite());
            let store = database.open(folder.path()).await?;
            ensure!(!store.is_postgres());
            checks::$test(store).await
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $postgres() -> Result<()> {
            let (folder, database) = (tempfile::tempdir()?, TestDatabase::postgres()?);
            let store = database.open(folder.path()).await?;
            ensure!(store.is_postgres());
            checks::$test(store).await
        }
    )*};
}

on_both!(
    one_of_sixteen_uses_a_code => postgres_one_of_sixteen_uses_a_code,
    one_of_eight_is_the_first_administrator => postgres_one_of_eight_is_the_first_administrator,
    the_last_administrator_stays => postgres_the_last_administrator_stays,
    two_administrators_cannot_remove_each_other => postgres_two_administrators_cannot_remove_each_other,
    names_are_taken_whatever_their_case => postgres_names_are_taken_whatever_their_case,
    codes_end_at_their_time => postgres_codes_end_at_their_time,
    using_and_cancelling_exclude_each_other => postgres_using_and_cancelling_exclude_each_other,
    sessions_change_until_they_end => postgres_sessions_change_until_they_end,
    sessions_come_in_pages => postgres_sessions_come_in_pages,
    the_trail_is_kept_and_paged => postgres_the_trail_is_kept_and_paged,
    logins_end_at_their_time => postgres_logins_end_at_their_time,
    second_factors_are_spent_once => postgres_second_factors_are_spent_once,
    invitations_are_there_once => postgres_invitations_are_there_once,
    users_are_found_and_paged => postgres_users_are_found_and_paged,
    lists_stand_still_while_rows_are_added => postgres_lists_stand_still_while_rows_are_added,
    rights_that_were_looked_at_still_hold => postgres_rights_that_were_looked_at_still_hold,
    opening_again_changes_nothing => postgres_opening_again_changes_nothing,
);

fn new_user(username: &str, role: Role) -> NewUser {
    NewUser {
        username: username.to_owned(),
        display_name: format!("{username} Ünïcode 😀"),
        role,
        permissions: Vec::new(),
        password_hash: "$argon2id$not-a-real-one".to_owned(),
        must_change_password: false,
    }
}

async fn user(store: &Store, username: &str, role: Role) -> Result<UserRow> {
    Ok(store.create_user(new_user(username, role), false, NOW).await?)
}

fn code(text: &str) -> Result<SupportCode> {
    SupportCode::parse(text).context("not a code")
}

fn new_code(text: &str, by: Uuid) -> Result<NewCode> {
    Ok(NewCode {
        code: code(text)?,
        access: Access::Control,
        created_by: by,
        technician_name: "Ada".to_owned(),
        organization: "Acme".to_owned(),
        note: Some("printer".to_owned()),
        expires_at: NOW + 900_000,
    })
}

/// The user names that a filter leaves, page by page.
async fn names(store: &Store, filter: UserFilter) -> Result<Vec<String>> {
    let mut filter = UserFilter { limit: filter.limit.max(1), ..filter };
    let mut names = Vec::new();
    loop {
        let page = store.users(filter.clone()).await?;
        ensure!(page.items.len() as u64 <= filter.limit, "too many on a page");
        names.extend(page.items.into_iter().map(|(user, _)| user.username));
        filter.after = page.next;
        if filter.after.is_none() {
            return Ok(names);
        }
    }
}

mod checks {
    use super::*;

    pub(super) async fn one_of_sixteen_uses_a_code(store: Store) -> Result<()> {
        let technician = user(&store, "ada", Role::Operator).await?;
        for text in ["ABC-DEF-GHJ", "BCD-EFG-HJK", "CDE-FGH-JKM", "DEF-GHJ-KMN"] {
            let made = store.create_code(new_code(text, technician.id)?, NOW).await?;
            let start = Arc::new(tokio::sync::Barrier::new(16));
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..16 {
                let (store, start, code) = (store.clone(), start.clone(), code(text)?);
                tasks.spawn(async move {
                    start.wait().await;
                    store.consume_code(&code, NOW + 1, NOW + 1).await
                });
            }
            let mut winners = Vec::new();
            while let Some(outcome) = tasks.join_next().await {
                winners.extend(outcome??);
            }
            ensure!(winners.len() == 1, "{} of 16 used one code", winners.len());
            ensure!(winners[0].id == made.session.id);
            ensure!(store.consume_code(&code(text)?, NOW + 2, NOW + 2).await?.is_none(), "a used code works again");
            ensure!(store.waiting_code(&code(text)?, NOW + 2).await?.is_none(), "a used code still waits");
        }
        Ok(())
    }

    pub(super) async fn one_of_eight_is_the_first_administrator(store: Store) -> Result<()> {
        ensure!(!store.has_admin().await?);
        let start = Arc::new(tokio::sync::Barrier::new(8));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (store, start) = (store.clone(), start.clone());
            tasks.spawn(async move {
                start.wait().await;
                store.create_user(new_user(&format!("root{number}"), Role::Admin), true, NOW).await
            });
        }
        let mut made = 0;
        while let Some(outcome) = tasks.join_next().await {
            match outcome? {
                Ok(_) => made += 1,
                Err(error) => ensure!(matches!(error, StoreError::Duplicate), "a loser was told {error}"),
            }
        }
        ensure!(made == 1, "{made} first administrators");
        ensure!(store.has_admin().await? && names(&store, UserFilter::default()).await?.len() == 1);
        Ok(())
    }

    pub(super) async fn the_last_administrator_stays(store: Store) -> Result<()> {
        let root = user(&store, "root", Role::Admin).await?;
        let other = user(&store, "other", Role::Admin).await?;
        let disable = || UserChange { enabled: Some(false), ..UserChange::default() };
        let demote = || UserChange { role: Some(Role::Operator), ..UserChange::default() };
        let remove = || UserChange { deleted_at: Some(NOW), ..UserChange::default() };
        // While there are two, one may go; a disabled one does not count.
        let changed = store.change_user(other.id, disable()).await?.context("nobody")?;
        ensure!(!changed.enabled);
        for change in [disable(), demote(), remove()] {
            let outcome = store.change_user(root.id, change).await;
            ensure!(matches!(outcome, Err(StoreError::Duplicate)), "the last administrator went: {outcome:?}");
        }
        ensure!(store.has_admin().await?);
        let kept = store.user(root.id).await?.context("root has gone")?;
        ensure!(kept.enabled && kept.role == "admin" && kept.deleted_at.is_none(), "{kept:?}");
        // Other changes to the last one are nobody's concern.
        let renamed = UserChange { display_name: Some("Rosa".into()), ..UserChange::default() };
        ensure!(store.change_user(root.id, renamed).await?.context("nobody")?.display_name == "Rosa");
        // With the other one back, root may go.
        let enable = UserChange { enabled: Some(true), ..UserChange::default() };
        store.change_user(other.id, enable).await?;
        store.change_user(root.id, remove()).await?;
        ensure!(store.user(root.id).await?.is_none() && store.has_admin().await?);
        ensure!(store.change_user(Uuid::now_v7(), demote()).await?.is_none());
        Ok(())
    }

    pub(super) async fn two_administrators_cannot_remove_each_other(store: Store) -> Result<()> {
        let remove = || UserChange { deleted_at: Some(NOW), ..UserChange::default() };
        let mut one = user(&store, "admin", Role::Admin).await?;
        for round in 0..40 {
            let two = user(&store, &format!("admin{round}"), Role::Admin).await?;
            let (first, second) =
                tokio::join!(store.change_user(one.id, remove()), store.change_user(two.id, remove()));
            ensure!(first.is_ok() != second.is_ok(), "round {round}: {first:?} {second:?}");
            ensure!(store.has_admin().await?, "round {round}: nobody is left");
            if first.is_ok() {
                one = two;
            }
        }
        Ok(())
    }

    pub(super) async fn names_are_taken_whatever_their_case(store: Store) -> Result<()> {
        user(&store, "root", Role::Admin).await?;
        let ada = user(&store, "Ada", Role::Operator).await?;
        let again = store.create_user(new_user("aDA", Role::Viewer), false, NOW).await;
        ensure!(matches!(again, Err(StoreError::Duplicate)), "{again:?}");
        let found = store.user_by_name("ADA").await?.context("not found")?;
        ensure!(found.id == ada.id && found.username == "Ada" && found.display_name == "Ada Ünïcode 😀");
        ensure!(found.created_at == NOW && found.enabled && found.last_login_at.is_none(), "{found:?}");
        ensure!(store.user_by_name("nobody").await?.is_none());
        let extra = UserChange { permissions: Some(vec![Permission::ViewAudit]), ..UserChange::default() };
        let changed = store.change_user(ada.id, extra).await?.context("nobody")?;
        let permissions = store.permissions(&changed).await?;
        ensure!(permissions.has(Permission::ViewAudit) && permissions.has(Permission::Control));
        ensure!(!permissions.has(Permission::ManageUsers));
        Ok(())
    }

    pub(super) async fn codes_end_at_their_time(store: Store) -> Result<()> {
        let technician = user(&store, "ada", Role::Operator).await?;
        let made = store.create_code(new_code("ABC-DEF-GHJ", technician.id)?, NOW).await?;
        let same = store.create_code(new_code("ABC-DEF-GHJ", technician.id)?, NOW).await;
        ensure!(matches!(same, Err(StoreError::Duplicate)), "the same code waits twice");
        let session = &made.session;
        ensure!(session.status == "waiting" && session.consent_state == "pending", "{session:?}");
        ensure!(session.source == "standalone" && !session.is_managed && session.created_at == NOW, "{session:?}");
        ensure!(session.tenant_id == Uuid::from_u128(1), "another tenant than the seeded one");

        let (last, over) = (NOW + 899_999, NOW + 900_000);
        ensure!(store.waiting_code(&code("abc def ghj")?, last).await?.is_some());
        ensure!(store.waiting_code(&code("ABC-DEF-GHJ")?, over).await?.is_none());
        ensure!(store.consume_code(&code("ABC-DEF-GHJ")?, over, over).await?.is_none(), "used after its time");
        ensure!(store.expire_codes("expired", last, LONGEST, last).await?.is_empty());
        ensure!(store.expire_codes("expired", over, LONGEST, over).await? == [made.session.id]);
        let ended = store.session(made.session.id).await?.context("gone")?;
        ensure!(ended.status == "ended" && ended.end_reason.as_deref() == Some("expired"), "{ended:?}");
        ensure!(store.expire_codes("expired", over, LONGEST, over).await?.is_empty(), "it expires once");
        ensure!(store.consume_code(&code("ABC-DEF-GHJ")?, NOW + 1, NOW + 1).await?.is_none(), "used after it expired");
        // The symbols are free again.
        let again = store.create_code(new_code("ABC-DEF-GHJ", technician.id)?, over).await?;
        // A code that is due later than any lives is of a clock that was set back.
        let early = again.code.expires_at - LONGEST;
        ensure!(store.expire_codes("expired", early, LONGEST, early).await?.is_empty());
        let of = |user| CodeFilter { created_by: Some(user), limit: 10, ..Default::default() };
        let listed = store.codes(of(technician.id)).await?.items;
        ensure!(listed.len() == 2 && listed[0].status == "waiting" && listed[1].status == "expired", "{listed:?}");
        ensure!(store.expire_codes("expired", early - 1, LONGEST, early - 1).await? == [again.session.id]);
        let listed = store.codes(of(technician.id)).await?.items;
        ensure!(listed.iter().all(|code| code.status == "expired"), "{listed:?}");
        ensure!(store.codes(of(Uuid::now_v7())).await?.items.is_empty());
        Ok(())
    }

    pub(super) async fn using_and_cancelling_exclude_each_other(store: Store) -> Result<()> {
        let technician = user(&store, "ada", Role::Operator).await?;
        for _ in 0..10 {
            let text = "ABC-DEF-GHJ";
            let made = store.create_code(new_code(text, technician.id)?, NOW).await?;
            let code = code(text)?;
            let (used, cancelled) = tokio::join!(
                store.consume_code(&code, NOW, NOW),
                store.cancel_code(made.code.id, made.session.id, "cancelled", NOW)
            );
            let (used, cancelled) = (used?.is_some(), cancelled?);
            ensure!(used != cancelled, "used: {used}, cancelled: {cancelled}");
            let row =
                store.codes(CodeFilter { limit: 1, ..Default::default() }).await?.items.pop().context("no code")?;
            ensure!(row.status == if used { "consumed" } else { "cancelled" }, "{row:?}");
            ensure!(row.consumed_at.is_some() == used, "{row:?}");
        }
        Ok(())
    }

    pub(super) async fn sessions_change_until_they_end(store: Store) -> Result<()> {
        let technician = user(&store, "ada", Role::Operator).await?;
        let id = store.create_code(new_code("ABC-DEF-GHJ", technician.id)?, NOW).await?.session.id;
        let secret = Secret::random("rsm_", &[7; 32]);
        let live = SessionChange {
            status: Some(Status::Live),
            consent: Some(ConsentState::Granted),
            accepted: Some(Some(Access::ViewOnly)),
            hostname: Some("PC-1".into()),
            operating_system: Some("Windows 11".into()),
            resume: Some(secret.hash()),
            started_at: Some(NOW + 5),
            ..SessionChange::default()
        };
        ensure!(store.change_session(id, live).await?);
        let row = store.session(id).await?.context("no session")?;
        ensure!(row.status == "live" && row.consent_state == "granted" && row.started_at == Some(NOW + 5), "{row:?}");
        ensure!(row.accepted_access.as_deref() == Some("view_only") && row.hostname.as_deref() == Some("PC-1"));
        ensure!(row.resume_hash.as_deref() != Some(secret.expose()), "the secret itself is stored");
        ensure!(store.session_by_resume(secret.hash()).await?.is_some_and(|found| found.id == id));
        ensure!(store.open_sessions().await?.iter().any(|open| open.id == id));

        let end = SessionChange { ended: Some((NOW + 9, "removed")), ..SessionChange::default() };
        ensure!(store.change_session(id, end).await?);
        let row = store.session(id).await?.context("no session")?;
        ensure!(row.status == "ended" && row.ended_at == Some(NOW + 9), "{row:?}");
        ensure!(row.end_reason.as_deref() == Some("removed") && row.resume_hash.is_none(), "{row:?}");
        ensure!(store.session_by_resume(secret.hash()).await?.is_none());
        ensure!(store.open_sessions().await?.is_empty());
        // What has ended does not come back to life.
        let revive = SessionChange { status: Some(Status::Live), ..SessionChange::default() };
        ensure!(!store.change_session(id, revive).await?);
        let hide = SessionChange { deleted_at: Some(NOW + 10), ..SessionChange::default() };
        ensure!(store.change_session(id, hide).await?);
        ensure!(store.session(id).await?.is_none());
        Ok(())
    }

    pub(super) async fn sessions_come_in_pages(store: Store) -> Result<()> {
        let (ada, bob) = (user(&store, "ada", Role::Operator).await?, user(&store, "bob", Role::Operator).await?);
        let mut made = Vec::new();
        for (number, letter) in "ABCDEFGHJK".chars().enumerate() {
            let by = if number % 2 == 0 { ada.id } else { bob.id };
            let text = format!("{letter}{letter}{letter}-222-333");
            made.push(store.create_code(new_code(&text, by)?, NOW + number as i64).await?.session.id);
        }
        let ended = SessionChange { ended: Some((NOW, "removed")), ..SessionChange::default() };
        store.change_session(made[3], ended).await?;

        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.sessions(SessionFilter { before, limit: 3, ..SessionFilter::default() }).await?;
            ensure!(page.items.len() <= 3);
            seen.extend(page.items.iter().map(|row| row.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let newest_first: Vec<Uuid> = made.iter().rev().copied().collect();
        ensure!(seen == newest_first, "pages lose or repeat rows");

        let ids = |page: gc_store::Page<gc_store::SessionRow, Uuid>| -> Vec<Uuid> {
            page.items.into_iter().map(|row| row.id).collect()
        };
        let filter = SessionFilter { ended: Some(true), limit: 50, ..SessionFilter::default() };
        ensure!(ids(store.sessions(filter).await?) == [made[3]]);
        let filter = SessionFilter { ended: Some(false), limit: 50, ..SessionFilter::default() };
        ensure!(ids(store.sessions(filter).await?).len() == 9);
        let mine = || SessionFilter { visible_to: Some(ada.id), limit: 50, ..SessionFilter::default() };
        ensure!(ids(store.sessions(mine()).await?).len() == 5);
        store.invite(made[1], ada.id, bob.id, NOW).await?;
        ensure!(ids(store.sessions(mine()).await?).len() == 5, "an invitation shows something before consent");
        let accepted = SessionChange { accepted: Some(Some(Access::Control)), ..Default::default() };
        store.change_session(made[1], accepted).await?;
        let visible = ids(store.sessions(mine()).await?);
        ensure!(visible.len() == 6 && visible.contains(&made[1]));
        Ok(())
    }

    pub(super) async fn the_trail_is_kept_and_paged(store: Store) -> Result<()> {
        let technician = user(&store, "ada", Role::Operator).await?;
        let session = store.create_code(new_code("ABC-DEF-GHJ", technician.id)?, NOW).await?.session.id;
        for number in 0..5 {
            let event = if number % 2 == 0 { "viewer_joined" } else { "viewer_left" };
            let new = NewAudit {
                event,
                session_id: (number < 4).then_some(session),
                actor_id: Some(technician.id),
                viewer: Some(("1".into(), "Ada".into())),
                target: Some("PC-1".into()),
                details: Some(json!({"number": number, "text": "Ünïcode 😀"})),
                ip_address: Some("2001:db8::1".into()),
                ..NewAudit::default()
            };
            store.audit(new, NOW + number).await?;
        }
        let all = store.audit_trail(AuditFilter { limit: 10, ..AuditFilter::default() }).await?;
        ensure!(all.len() == 5 && all.is_sorted_by(|one, two| one.id > two.id), "not newest first");
        let of = AuditFilter { session_id: Some(session), limit: 10, ..AuditFilter::default() };
        ensure!(store.audit_trail(of).await?.len() == 4);
        let left = AuditFilter { event: Some("viewer_left".into()), limit: 10, ..AuditFilter::default() };
        ensure!(store.audit_trail(left).await?.len() == 2);
        let first = store.audit_trail(AuditFilter { limit: 2, ..AuditFilter::default() }).await?;
        let rest = AuditFilter { before: first.last().map(|row| row.id), limit: 10, ..AuditFilter::default() };
        ensure!(store.audit_trail(rest).await?.len() == 3);
        ensure!(all[0].session_id.is_none() && all[1].event_type == "viewer_left");
        ensure!(all[1].viewer_name.as_deref() == Some("Ada") && all[1].ip_address.as_deref() == Some("2001:db8::1"));
        Ok(())
    }

    pub(super) async fn second_factors_are_spent_once(store: Store) -> Result<()> {
        user(&store, "root", Role::Admin).await?;
        let plain = user(&store, "ada", Role::Operator).await?;
        let login = async |user: &UserRow, factor| {
            let token = Secret::random("", Uuid::now_v7().as_bytes().repeat(2).as_slice().try_into()?).hash();
            anyhow::Ok(store.add_login(user, factor, token, NOW, NOW + 1000).await?.is_some())
        };
        let recovery = [Secret::new("one").hash(), Secret::new("two").hash()];
        let secret = Secret::new("JBSWY3DPEHPK3PXP");
        ensure!(login(&plain, Factor::None).await?, "without a second factor none is due");
        ensure!(!store.set_second_factor(plain.id, "another password", &secret, 7, &recovery).await?);
        ensure!(store.set_second_factor(plain.id, &plain.password_hash, &secret, 7, &recovery).await?);
        let ada = store.user(plain.id).await?.context("gone")?;
        for (factor, expected) in [
            (Factor::None, false),
            (Factor::Step(7), false),
            (Factor::Step(8), true),
            (Factor::Step(8), false),
            (Factor::Recovery(recovery[0]), true),
            (Factor::Recovery(recovery[0]), false),
            (Factor::Recovery(Secret::new("three").hash()), false),
        ] {
            ensure!(login(&ada, factor).await? == expected, "{factor:?}");
        }
        // Of sixteen that show the same one, one gets in.
        let tries = (0..16).map(|_| login(&ada, Factor::Step(9)));
        let won = futures_util::future::join_all(tries).await;
        ensure!(won.iter().filter(|won| matches!(won, Ok(true))).count() == 1, "{won:?}");
        // Taken away, nothing of it serves; whoever looked before is looked at anew.
        store.change_user(ada.id, UserChange { without_second_factor: true, ..Default::default() }).await?;
        ensure!(!login(&ada, Factor::Step(10)).await? && !login(&ada, Factor::Recovery(recovery[1])).await?);
        ensure!(login(&plain, Factor::None).await?);
        Ok(())
    }

    pub(super) async fn logins_end_at_their_time(store: Store) -> Result<()> {
        user(&store, "root", Role::Admin).await?;
        let ada = user(&store, "ada", Role::Operator).await?;
        let secret = |byte| Secret::random("", &[byte; 32]).hash();
        let first = store.add_login(&ada, Factor::None, secret(1), NOW, NOW + 1000).await?.context("refused")?.id;
        ensure!(store.user(ada.id).await?.context("gone")?.last_login_at == Some(NOW));
        let second = store.add_login(&ada, Factor::None, secret(2), NOW, NOW + 2000).await?.context("refused")?.id;
        let found = store.login(secret(1), NOW + 999).await?.context("not found")?;
        ensure!(found.id == first && found.user_id == ada.id && found.expires_at == NOW + 1000, "{found:?}");
        ensure!(store.login(secret(1), NOW + 1000).await?.is_none(), "an expired login holds");
        ensure!(store.login_by_id(first, NOW + 1000).await?.is_none());
        ensure!(store.login(secret(3), NOW).await?.is_none());
        let change = UserChange { ends_logins: EndsLogins::AllBut(second), ..Default::default() };
        store.change_user(ada.id, change).await?;
        ensure!(store.login(secret(1), NOW).await?.is_none() && store.login(secret(2), NOW).await?.is_some());
        store.remove_expired_logins(NOW + 2000, LONGEST).await?;
        ensure!(store.login_by_id(second, NOW).await?.is_none(), "an expired login stays in the table");
        // Nor does one that lives longer than any does.
        let late = store.add_login(&ada, Factor::None, secret(5), NOW, NOW + LONGEST + 1).await?.context("refused")?;
        store.remove_expired_logins(NOW + 1, LONGEST).await?;
        ensure!(store.login_by_id(late.id, NOW).await?.is_some(), "a login was removed in its time");
        store.remove_expired_logins(NOW, LONGEST).await?;
        ensure!(store.login_by_id(late.id, NOW).await?.is_none(), "a login of the future stays");
        let third = store.add_login(&ada, Factor::None, secret(4), NOW, NOW + 1000).await?.context("refused")?;
        store.remove_login(third.id).await?;
        ensure!(store.login(secret(4), NOW).await?.is_none());
        // Somebody whose password was right a moment ago, and is not now.
        let reset = UserChange {
            password_hash: Some("another".into()),
            ends_logins: EndsLogins::All,
            only_if_hash: Some(ada.password_hash.clone()),
            ..Default::default()
        };
        ensure!(store.change_user(ada.id, reset.clone()).await?.is_some());
        ensure!(store.change_user(ada.id, reset).await?.is_none(), "an old hash still counts");
        ensure!(
            store.add_login(&ada, Factor::None, secret(5), NOW, NOW + 1000).await?.is_none(),
            "an old password lets in"
        );
        let fresh = store.user(ada.id).await?.context("gone")?;
        let disable = UserChange { enabled: Some(false), ..Default::default() };
        store.change_user(ada.id, disable).await?;
        ensure!(
            store.add_login(&fresh, Factor::None, secret(6), NOW, NOW + 1000).await?.is_none(),
            "a disabled user gets in"
        );
        Ok(())
    }

    pub(super) async fn invitations_are_there_once(store: Store) -> Result<()> {
        let (ada, bob) = (user(&store, "ada", Role::Operator).await?, user(&store, "bob", Role::Operator).await?);
        let session = store.create_code(new_code("ABC-DEF-GHJ", ada.id)?, NOW).await?.session.id;
        ensure!(!store.is_guest(session, bob.id).await?);
        let (one, two) =
            tokio::join!(store.invite(session, bob.id, ada.id, NOW), store.invite(session, bob.id, ada.id, NOW));
        ensure!(one? != two?, "one invitation, not two");
        let invited = store.invited(session, None, 10).await?.items;
        ensure!(invited.iter().map(|user| user.id).eq([bob.id]), "{invited:?}");
        ensure!(!store.is_guest(session, bob.id).await?, "an invitation counts before consent");
        let accepted = SessionChange { accepted: Some(Some(Access::ViewOnly)), ..Default::default() };
        store.change_session(session, accepted).await?;
        ensure!(store.is_guest(session, bob.id).await?);
        ensure!(store.withdraw_invitation(session, bob.id).await?);
        ensure!(!store.withdraw_invitation(session, bob.id).await?);
        ensure!(!store.is_guest(session, bob.id).await?);
        Ok(())
    }

    pub(super) async fn users_are_found_and_paged(store: Store) -> Result<()> {
        // An order of code points, whatever the language of the database.
        let sorted = ["Ada", "Zoë", "_root", "a_b", "a%b", "ädelheid", "élan", "日本"];
        let expected = ["_root", "a%b", "a_b", "ada", "zoë", "ädelheid", "élan", "日本"];
        for name in sorted {
            user(&store, name, if name == "Ada" { Role::Admin } else { Role::Viewer }).await?;
        }
        for limit in [1, 3, 200] {
            let mut all = names(&store, UserFilter { limit, ..Default::default() }).await?;
            all.iter_mut().for_each(|name| *name = name.to_lowercase());
            ensure!(all == expected, "by {limit}: {all:?}");
        }
        let search = |text: &str| UserFilter { search: Some(text.to_owned()), ..Default::default() };
        for (text, found) in [
            ("ZOË", &["Zoë"][..]),
            ("oë ün", &["Zoë"]),
            ("a_b", &["a_b"]),
            ("%", &["a%b"]),
            ("\\", &[]),
            ("ÄDEL", &["ädelheid"]),
            ("日", &["日本"]),
            ("' OR 1=1 --", &[]),
        ] {
            let names = names(&store, search(text)).await?;
            ensure!(names == found, "{text}: {names:?}");
        }
        ensure!(names(&store, search("ünïcode")).await?.len() == sorted.len(), "shown names are not searched");
        ensure!(names(&store, UserFilter { role: Some(Role::Admin), ..Default::default() }).await? == ["Ada"]);
        let zoe = store.user_by_name("zoë").await?.context("no Zoë")?;
        let change = UserChange { enabled: Some(false), display_name: Some("Quux".into()), ..Default::default() };
        store.change_user(zoe.id, change).await?;
        ensure!(names(&store, UserFilter { enabled: Some(false), ..Default::default() }).await? == ["Zoë"]);
        ensure!(names(&store, search("QUUX")).await? == ["Zoë"] && names(&store, search("zoë")).await? == ["Zoë"]);
        // Whom one can invite: enabled, not oneself, by part of a name.
        user(&store, "client", Role::EndUser).await?;
        let ada = store.user_by_name("ada").await?.context("no Ada")?;
        let others = store.colleagues(ada.id, None, None, 200).await?.items;
        ensure!(others.len() == sorted.len() - 2, "{others:?}");
        ensure!(store.colleagues(ada.id, Some("ÉLAN"), None, 200).await?.items.len() == 1);
        Ok(())
    }

    /// What comes or goes between two pages hides no row and shows none twice.
    pub(super) async fn lists_stand_still_while_rows_are_added(store: Store) -> Result<()> {
        let ada = user(&store, "m-ada", Role::Operator).await?;
        let symbols = "ABCDEFGHJKMNPQRSTUVWXYZ";
        let mut made = Vec::new();
        for symbol in symbols.chars().take(9) {
            made.push(store.create_code(new_code(&format!("AAA-AAA-AA{symbol}"), ada.id)?, NOW).await?.code.id);
        }
        made.reverse();
        let (mut seen, mut before) = (Vec::new(), None);
        for symbol in symbols.chars().rev() {
            let filter = CodeFilter { created_by: Some(ada.id), before, limit: 2, ..Default::default() };
            let page = store.codes(filter).await?;
            seen.extend(page.items.iter().map(|row| row.id));
            before = page.next;
            if before.is_none() {
                break;
            }
            store.create_code(new_code(&format!("BBB-BBB-BB{symbol}"), ada.id)?, NOW).await?;
        }
        ensure!(seen == made, "{} of {}", seen.len(), made.len());
        let consumed = CodeFilter { status: Some(CodeStatus::Consumed), limit: 10, ..Default::default() };
        ensure!(store.codes(consumed).await?.items.is_empty());
        for name in ["n-bob", "n-eve", "n-joe", "n-kim"] {
            user(&store, name, Role::Viewer).await?;
        }
        let cursor = store.users(UserFilter { limit: 3, ..Default::default() }).await?.next.context("no more")?;
        // The row that the cursor names goes, and others come on both sides.
        let eve = store.user_by_name("n-eve").await?.context("no Eve")?;
        let gone = UserChange { deleted_at: Some(NOW), enabled: Some(false), ..Default::default() };
        user(&store, "root", Role::Admin).await?;
        store.change_user(eve.id, gone).await?;
        for name in ["a-new", "n-new"] {
            user(&store, name, Role::Viewer).await?;
        }
        let rest = names(&store, UserFilter { after: Some(cursor), ..Default::default() }).await?;
        ensure!(rest == ["n-joe", "n-kim", "n-new", "root"], "{rest:?}");
        Ok(())
    }

    pub(super) async fn rights_that_were_looked_at_still_hold(store: Store) -> Result<()> {
        user(&store, "root", Role::Admin).await?;
        let ada = user(&store, "ada", Role::Operator).await?;
        let looked_at = store.permissions(&ada).await?;
        let becomes = |role| UserChange { role: Some(role), ..Default::default() };
        store.change_user(ada.id, becomes(Role::Admin)).await?;
        let disable = UserChange { enabled: Some(false), only_if_rights: Some(looked_at), ..Default::default() };
        let outcome = store.change_user(ada.id, disable.clone()).await;
        ensure!(matches!(outcome, Err(StoreError::Changed)), "{outcome:?}");
        ensure!(store.user(ada.id).await?.context("nobody")?.enabled, "it was done all the same");
        store.change_user(ada.id, becomes(Role::Operator)).await?;
        ensure!(!store.change_user(ada.id, disable).await?.context("nobody")?.enabled);
        Ok(())
    }

    pub(super) async fn opening_again_changes_nothing(store: Store) -> Result<()> {
        let ada = user(&store, "ada", Role::Operator).await?;
        store.set_setting("several_controllers", json!({"on": true}), NOW).await?;
        store.set_setting("several_controllers", json!({"on": false}), NOW + 1).await?;
        for _ in 0..2 {
            store.migrate().await?;
            ensure!(store.user(ada.id).await?.is_some());
        }
        ensure!(store.setting("several_controllers").await? == Some(json!({"on": false})));
        ensure!(store.setting("nothing").await?.is_none());
        store.ping().await?;
        Ok(())
    }
}
