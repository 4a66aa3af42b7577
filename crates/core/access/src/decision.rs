//! The decision that minting a viewer token is.

use serde::{Deserialize, Serialize};

use crate::role::{Permission, Permissions, Role};

/// What somebody may do in a session, the lesser first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Access {
    /// Sees, never touches.
    #[serde(rename = "view_only")]
    ViewOnly,
    /// Sees and controls.
    #[serde(rename = "control")]
    Control,
}

impl Access {
    /// The name in tokens and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewOnly => "view_only",
            Self::Control => "control",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ViewOnly, Self::Control].into_iter().find(|access| access.as_str() == name)
    }
}

/// What a session is to somebody who asks for it.
#[derive(Debug, Clone, Copy)]
pub struct SessionView {
    /// The asker created its code.
    pub is_creator: bool,
    /// The asker was invited to it, and the invitation stands.
    pub is_invited: bool,
    /// The most that the person at the machine accepted; `None` before consent.
    pub accepted: Option<Access>,
    /// It has ended.
    pub ended: bool,
}

/// Why no token is minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MintRefusal {
    /// The asker may not even know of the session.
    NotVisible,
    /// The asker sees it and has no right to look in.
    NotPermitted,
    /// The person has not accepted yet.
    ConsentPending,
    /// It is over.
    Ended,
}

/// Whether `who` may see an attended session in lists.
#[must_use]
pub fn may_see(who: &Permissions, session: &SessionView) -> bool {
    match who.role() {
        Role::EndUser => false,
        Role::Admin => true,
        Role::Operator | Role::Viewer => session.is_creator || session.is_invited,
    }
}

/// What a viewer token for `who` says: the lesser of the permission and the
/// person's answer.
///
/// # Errors
/// [`MintRefusal`] says why there is none.
pub fn mint_access(who: &Permissions, session: &SessionView) -> Result<Access, MintRefusal> {
    if !may_see(who, session) {
        return Err(MintRefusal::NotVisible);
    }
    let permitted = if who.has(Permission::Control) {
        Access::Control
    } else if who.has(Permission::View) {
        Access::ViewOnly
    } else {
        return Err(MintRefusal::NotPermitted);
    };
    if session.ended {
        return Err(MintRefusal::Ended);
    }
    let accepted = session.accepted.ok_or(MintRefusal::ConsentPending)?;
    Ok(permitted.min(accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minting() {
        use Access::{Control, ViewOnly};
        let check = |role, is_creator, is_invited, accepted, ended, expected| {
            let session = SessionView { is_creator, is_invited, accepted, ended };
            let got = mint_access(&Permissions::new(role, vec![]), &session);
            assert_eq!(got, expected, "{role:?} {session:?}");
        };
        check(Role::Operator, true, false, Some(Control), false, Ok(Control));
        check(Role::Operator, true, false, Some(ViewOnly), false, Ok(ViewOnly));
        check(Role::Operator, true, false, None, false, Err(MintRefusal::ConsentPending));
        check(Role::Operator, true, false, Some(Control), true, Err(MintRefusal::Ended));
        check(Role::Operator, false, false, Some(Control), false, Err(MintRefusal::NotVisible));
        check(Role::Operator, false, true, Some(Control), false, Ok(Control));
        check(Role::Viewer, false, true, Some(Control), false, Ok(ViewOnly));
        check(Role::Viewer, false, false, Some(Control), false, Err(MintRefusal::NotVisible));
        check(Role::Admin, false, false, Some(Control), false, Ok(Control));
        check(Role::Admin, false, false, None, false, Err(MintRefusal::ConsentPending));
        check(Role::EndUser, true, true, Some(Control), false, Err(MintRefusal::NotVisible));
    }
}
