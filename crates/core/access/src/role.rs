//! Roles are bundles of permissions; every check is by permission.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$item_doc])* #[serde(rename = $text)] $item),* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$item),*];

            /// The name in the API and the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$item => $text),* }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.as_str() == name)
            }
        }
    };
}

named! {
    /// What a user is.
    Role {
        /// May everything in its tenant.
        Admin = "admin",
        /// A technician.
        Operator = "operator",
        /// Looks on, never touches.
        Viewer = "viewer",
        /// A client's employee: only its granted machines, only by the portal.
        EndUser = "end_user",
    }
}

named! {
    /// What a user may do, by name.
    Permission {
        /// See a session's pictures.
        View = "view",
        /// Control a session's machine.
        Control = "control",
        /// Move files.
        Transfer = "transfer",
        /// Create and cancel support codes.
        CreateCodes = "create_codes",
        /// Change and remove machines.
        ManageMachines = "manage_machines",
        /// Create, change and disable users.
        ManageUsers = "manage_users",
        /// Sites and their enrolment keys.
        ManageSites = "manage_sites",
        /// Agents' keys.
        ManageKeys = "manage_keys",
        /// Remove sessions of others.
        ManageSessions = "manage_sessions",
        /// Read the audit trail.
        ViewAudit = "view_audit",
        /// Change the server's settings.
        ManageSettings = "manage_settings",
        /// Read the server's metrics.
        ViewMetrics = "view_metrics",
    }
}

impl Role {
    /// What the role brings by itself.
    #[must_use]
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Admin => Permission::ALL,
            Self::Operator => &[
                Permission::View,
                Permission::Control,
                Permission::Transfer,
                Permission::CreateCodes,
                Permission::ManageMachines,
            ],
            Self::Viewer => &[Permission::View],
            Self::EndUser => &[],
        }
    }
}

/// A user's role, what was granted beside it, and what of both a credential
/// carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    role: Role,
    extra: Vec<Permission>,
    /// Nothing beyond these, where a credential was given only a part.
    scopes: Option<Vec<Permission>>,
}

impl Permissions {
    /// The role's bundle and `extra`. An `end_user` never gets more than none.
    #[must_use]
    pub fn new(role: Role, extra: Vec<Permission>) -> Self {
        let extra = if role == Role::EndUser { Vec::new() } else { extra };
        Self { role, extra, scopes: None }
    }

    /// These, as far as the scopes of a credential go. A second limit never
    /// widens the first.
    #[must_use]
    pub fn limited_to(mut self, scopes: &[Permission]) -> Self {
        let before = self.scopes.take();
        let within = |scope: &Permission| before.as_ref().is_none_or(|before| before.contains(scope));
        self.scopes = Some(scopes.iter().copied().filter(within).collect());
        self
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the user may do this.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        (self.role.permissions().contains(&permission) || self.extra.contains(&permission))
            && self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission))
    }

    /// Whether somebody with these may be managed by this user: nobody gives
    /// or takes what they do not have.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        (self.role == Role::Admin || other.role != Role::Admin) && other.list().iter().all(|item| self.has(*item))
    }

    /// Everything the user may do, in order.
    #[must_use]
    pub fn list(&self) -> Vec<Permission> {
        Permission::ALL.iter().copied().filter(|permission| self.has(*permission)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(*role));
        }
        assert_eq!(Role::from_name("root"), None);
    }

    #[test]
    fn bundles() {
        let may = |role, permission| Permissions::new(role, vec![]).has(permission);
        for (role, permission, expected) in [
            (Role::Admin, Permission::ManageUsers, true),
            (Role::Operator, Permission::ManageUsers, false),
            (Role::Operator, Permission::Control, true),
            (Role::Viewer, Permission::View, true),
            (Role::Viewer, Permission::Control, false),
            (Role::Viewer, Permission::CreateCodes, false),
            (Role::EndUser, Permission::View, false),
        ] {
            assert_eq!(may(role, permission), expected, "{role:?} {permission:?}");
        }
        let manager = Permissions::new(Role::Operator, vec![Permission::ManageUsers]);
        for (role, extra, covered) in [
            (Role::Operator, vec![], true),
            (Role::Viewer, vec![Permission::Control], true),
            (Role::Operator, vec![Permission::ViewAudit], false),
            (Role::Admin, vec![], false),
        ] {
            assert_eq!(manager.covers(&Permissions::new(role, extra)), covered, "{role:?}");
        }
        let scoped = Permissions::new(Role::Admin, vec![]).limited_to(&[Permission::View, Permission::ManageUsers]);
        assert_eq!(scoped.list(), [Permission::View, Permission::ManageUsers]);
        assert!(!scoped.covers(&Permissions::new(Role::Operator, vec![])), "nobody gives more than the scopes");
        assert_eq!(scoped.limited_to(&[Permission::View, Permission::Control]).list(), [Permission::View]);
        let viewer = Permissions::new(Role::Viewer, vec![]).limited_to(&[Permission::Control]);
        assert!(viewer.list().is_empty(), "scopes give nothing that the user does not have");
        assert!(!Permissions::new(Role::EndUser, vec![Permission::View]).has(Permission::View));
        assert!(Permissions::new(Role::Viewer, vec![Permission::CreateCodes]).has(Permission::CreateCodes));
    }
}
