//! Kinds of secrets and outputs, by the names that the folder's files use.

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $item:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$says])* $item,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$item),+];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word),+ }
            }

            /// The one of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.as_str() == name)
            }
        }
    };
}

words! {
    /// What must not be shown.
    Kind {
        /// Somebody's password, right or wrong.
        Password = "password",
        /// A login token, in an answer or a cookie.
        Login = "login token",
        /// A personal access token.
        AccessToken = "access token",
        /// A support code.
        SupportCode = "support code",
        /// A viewer token.
        ViewerToken = "viewer token",
        /// What brings an agent back.
        Resume = "resume secret",
        /// The token of the first set-up.
        SetupToken = "set-up token",
        /// What an authenticator keeps.
        OneTimeSecret = "second factor's secret",
        /// What an authenticator shows.
        OneTimeCode = "second factor's code",
        /// A code for whoever has lost the authenticator.
        RecoveryCode = "recovery code",
        /// The password in a database's address.
        DatabasePassword = "database password",
        /// A machine's key.
        MachineKey = "machine key",
        /// A site's key for enrolment.
        EnrolmentKey = "enrolment key",
        /// Shown on purpose.
        Planted = "planted",
    }
}

words! {
    /// What programs show.
    Output {
        /// The server program's log.
        Server = "server",
        /// The log of servers in the tests' own processes.
        InProcess = "in-process",
        /// What the agent for Linux writes.
        Agent = "agent",
        /// What the agent for Windows writes.
        AgentWindows = "agent-windows",
        /// The consoles of browsers.
        Browser = "browser",
        /// Pages of metrics.
        Metrics = "metrics",
        /// Logs of nginx.
        Nginx = "nginx",
        /// Logs of Caddy.
        Caddy = "caddy",
        /// Logs of the ACME authority.
        Pebble = "pebble",
        /// What the tests themselves print.
        Runner = "runner",
    }
}

impl Kind {
    /// Whether the tests have any of these.
    #[must_use]
    pub fn is_in_use(self) -> bool {
        !matches!(self, Self::MachineKey | Self::EnrolmentKey)
    }

    /// Whether a text can be told from chance. Passwords that the product
    /// would not take are words of the language, or larger than any log line.
    #[must_use]
    pub fn is_worth_noting(self, text: &str) -> bool {
        match self {
            Self::Password => (10..=200).contains(&text.len()),
            Self::OneTimeCode => text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()),
            _ => (8..=2048).contains(&text.len()),
        }
    }
}
