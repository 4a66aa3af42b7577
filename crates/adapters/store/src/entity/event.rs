//! Rows of `connect_session_events`.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_session_events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub tenant_id: Option<Uuid>,
    pub session_id: Option<Uuid>,
    pub event_type: String,
    pub viewer_id: Option<String>,
    pub viewer_name: Option<String>,
    pub actor_id: Option<Uuid>,
    pub target: Option<String>,
    pub outcome: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub details: Json,
    pub ip_address: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
