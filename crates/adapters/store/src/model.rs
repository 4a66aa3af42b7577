//! Words of the database.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$item_doc])* $item),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$item),*];

            /// The word in the database and the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$item => $text),* }
            }

            /// The one for this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.as_str() == word)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a session came from.
    Source {
        /// Our own dashboard.
        Standalone = "standalone",
        /// Prepared through the integration API.
        GuruRmm = "gururmm",
        /// An end user's portal.
        EndUser = "end_user",
    }
}

words! {
    /// Whether somebody was asked.
    ConsentState {
        /// Nobody has to be.
        NotRequired = "not_required",
        /// Not answered yet.
        Pending = "pending",
        /// They said yes.
        Granted = "granted",
        /// They said no, or nothing.
        Denied = "denied",
    }
}

words! {
    /// Where a session stands.
    Status {
        /// The code waits.
        Waiting = "waiting",
        /// The person is asked.
        Pending = "pending",
        /// On.
        Live = "live",
        /// The agent is away.
        Suspended = "suspended",
        /// Over.
        Ended = "ended",
    }
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only those that this user created or was invited to; `None`: all.
    pub visible_to: Option<uuid::Uuid>,
    /// Only those that this user created.
    pub created_by: Option<uuid::Uuid>,
    /// Only those that have not ended, or only those that have.
    pub ended: Option<bool>,
    /// After this id, newest first.
    pub before: Option<uuid::Uuid>,
    /// At most so many.
    pub limit: u64,
}

/// A part of a list, and where the next begins.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor for the next page, where there is more.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// At most `limit` of these rows, of which one more was read where there is
    /// more.
    pub(crate) fn new(mut items: Vec<T>, limit: u64, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same with other rows in place of these.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}
