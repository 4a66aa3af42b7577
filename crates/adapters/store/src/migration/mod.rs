//! The schema, step by step. A step that was released is never edited.

mod m0001_first;
mod m0002_second_factor;
mod m0003_user_search;

use sea_orm_migration::prelude::*;

/// All steps in order.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first::Migration),
            Box::new(m0002_second_factor::Migration),
            Box::new(m0003_user_search::Migration),
        ]
    }
}
