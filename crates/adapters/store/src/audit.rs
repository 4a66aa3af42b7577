//! The audit trail: rows are added and read, never changed.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entity::event;
use crate::{Millis, Result, Store, tenancy};

/// Something that happened, to be written down. Never holds contents: no keys
/// typed, no chat, no secret.
#[derive(Debug, Clone, Default)]
pub struct NewAudit {
    /// The event's name.
    pub event: &'static str,
    /// The session it belongs to.
    pub session_id: Option<Uuid>,
    /// The user who did it.
    pub actor_id: Option<Uuid>,
    /// The viewer's number and shown name.
    pub viewer: Option<(String, String)>,
    /// What it was done to.
    pub target: Option<String>,
    /// `ok` unless it says otherwise.
    pub outcome: Option<&'static str>,
    /// More, as a JSON object.
    pub details: Option<serde_json::Value>,
    /// The client's address.
    pub ip_address: Option<String>,
}

/// A row of the trail.
pub type AuditRecord = event::Model;

/// Which rows to read.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this session.
    pub session_id: Option<Uuid>,
    /// Done by this user.
    pub actor_id: Option<Uuid>,
    /// At this time or later.
    pub since: Option<Millis>,
    /// Before this time.
    pub until: Option<Millis>,
    /// Of this name.
    pub event: Option<String>,
    /// Older than this row.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

impl Store {
    /// Write one event down.
    ///
    /// # Errors
    /// When the database fails: the caller counts it and goes on.
    pub async fn audit(&self, new: NewAudit, now: Millis) -> Result<()> {
        let (viewer_id, viewer_name) = new.viewer.unzip();
        let row = event::ActiveModel {
            id: NotSet,
            tenant_id: Set(Some(tenancy::SEEDED)),
            session_id: Set(new.session_id),
            event_type: Set(new.event.into()),
            viewer_id: Set(viewer_id),
            viewer_name: Set(viewer_name),
            actor_id: Set(new.actor_id),
            target: Set(new.target),
            outcome: Set(new.outcome.unwrap_or("ok").into()),
            details: Set(new.details.unwrap_or_else(|| serde_json::json!({}))),
            ip_address: Set(new.ip_address),
            created_at: Set(now),
        };
        event::Entity::insert(row).exec_without_returning(&self.write).await?;
        Ok(())
    }

    /// Read the trail, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_trail(&self, filter: AuditFilter) -> Result<Vec<AuditRecord>> {
        let mut query = event::Entity::find().filter(event::Column::TenantId.eq(tenancy::SEEDED));
        if let Some(session) = filter.session_id {
            query = query.filter(event::Column::SessionId.eq(session));
        }
        if let Some(actor) = filter.actor_id {
            query = query.filter(event::Column::ActorId.eq(actor));
        }
        if let Some(since) = filter.since {
            query = query.filter(event::Column::CreatedAt.gte(since));
        }
        if let Some(until) = filter.until {
            query = query.filter(event::Column::CreatedAt.lt(until));
        }
        if let Some(event) = filter.event {
            query = query.filter(event::Column::EventType.eq(event));
        }
        if let Some(before) = filter.before {
            query = query.filter(event::Column::Id.lt(before));
        }
        Ok(query.order_by_desc(event::Column::Id).limit(filter.limit).all(&self.read).await?)
    }
}
