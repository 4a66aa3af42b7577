//! Rows of `connect_sessions`.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "connect_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub machine_id: Option<Uuid>,
    pub is_managed: bool,
    pub source: String,
    pub status: String,
    pub consent_state: String,
    pub requested_access: String,
    pub accepted_access: Option<String>,
    pub created_by: Option<Uuid>,
    pub technician_name: String,
    pub organization: String,
    pub note: Option<String>,
    pub hostname: Option<String>,
    pub operating_system: Option<String>,
    pub resume_hash: Option<String>,
    pub end_reason: Option<String>,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
