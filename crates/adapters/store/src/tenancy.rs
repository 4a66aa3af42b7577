//! One tenant today, many later: the one place that says which.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

/// The seeded tenant.
pub const SEEDED: Uuid = Uuid::from_u128(1);

/// Only rows of `tenant`. Every query for tenant data is made through this.
pub(crate) fn scoped<E>(query: Select<E>, column: E::Column, tenant: Uuid) -> Select<E>
where
    E: EntityTrait,
{
    query.filter(column.eq(tenant))
}
