//! Words that the API's description names one by one.

use gc_access::{Access, Permission, Role};
use gc_session::EndReason;
use gc_store::{CodeStatus, ConsentState, Source, Status};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a word that is one of these.
macro_rules! one_of {
    ($($(#[doc = $doc:literal])* $name:ident: $words:expr),* $(,)?) => {$(
        $(#[doc = $doc])*
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = $words.iter().map(|word| word.as_str());
                let text = SchemaType::new(Type::String);
                let about = concat!($($doc),*).trim();
                ObjectBuilder::new().schema_type(text).description(Some(about)).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

one_of! {
    /// What a user is.
    RoleName: Role::ALL,
    /// What a user may do.
    PermissionName: Permission::ALL,
    /// How far access to a machine goes.
    AccessName: [Access::ViewOnly, Access::Control],
    /// Where a session came from.
    SourceName: Source::ALL,
    /// Whether the person agreed.
    ConsentName: ConsentState::ALL,
    /// Where a session stands.
    SessionState: Status::ALL,
    /// Where a support code stands.
    CodeState: CodeStatus::ALL,
    /// Why a session ended.
    EndReasonName: EndReason::ALL,
}
