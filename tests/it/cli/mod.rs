//! What an operator types, with the real program.

mod admin;
mod answers;
pub(crate) mod backup;
pub(crate) mod copy;
mod doctor;
mod export;
mod import;
mod import_columns;
mod import_csv;
mod import_producers;
mod import_rename;
mod import_report;
mod import_rows;
mod import_sqlite;
mod import_text;
mod json;
mod kill;
mod migrate;
mod output;
mod proxy;
mod terminal;
mod unusable;
